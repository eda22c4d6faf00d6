"""What experiments that compare two commits share: the other commit's files, and calls into it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).resolve().parents[1]

COUNT = """
def count_layers(blueprint):
    stages = blueprint.network["stages"]
    layers = sum(stage["layers"] for stage in stages)
    return {"layers": layers, "width": sum(stage["channels"] for stage in stages)}
"""
# A search of a function that takes no time, once `COUNT` lies in count.py of the working folder.
COUNTED = (
    "space=nano",
    "executor=inline",
    "evaluator=python",
    "evaluator.function=count:count_layers",
    "objectives=layers:min,width:max",
)


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """The tree of another commit of this repository, as long as the context lasts."""
    with TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--detach", "--quiet", str(tree), commit)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def is_changed_since(commit: str, file: str) -> bool:
    """Whether a file of the repository differs from that of the commit."""
    words = ["git", "-C", str(HERE), "diff", "--quiet", commit, "--", file]
    return subprocess.run(words).returncode != 0


def environment_of(tree: Path, cache: Path) -> Mapping[str, str]:
    """Variables under which `import evonas` means the one in that tree, with a cache of its own."""
    return {**os.environ, "PYTHONPATH": str(tree), "EVONAS_CACHE": str(cache)}


def evonas_in(tree: Path, cache: Path, *words: str) -> Any:
    """What a command prints as JSON, as the tree's evonas carries it out."""
    return json.loads(python_in(tree, cache, "-m", "evonas", *words, "--json"))


def python_in(tree: Path, cache: Path, *words: str, typed: str = "") -> str:
    """What Python prints when it runs these words with the tree's evonas.

    Args:
        cache: Where evonas keeps what it may need again; the working directory too.
        typed: Its standard input.

    Raises:
        SystemExit: It failed; the message is what it said.
    """
    done = subprocess.run(
        [sys.executable, *words],
        env=environment_of(tree, cache),
        cwd=cache,
        input=typed,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        sys.exit(f"In {tree}, {words[:4]} failed:\n{done.stderr}")
    return done.stdout


def _git(*words: str) -> None:
    subprocess.run(["git", "-C", str(HERE), *words], check=True, capture_output=True)
