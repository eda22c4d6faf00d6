"""The example in CONTRIBUTING.md, followed to the letter in a copy of the source tree."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY

TEXT = (REPOSITORY / "CONTRIBUTING.md").read_text()
RUN = """
import json, sys
from evonas.cli.app import app
for words in json.loads(sys.argv[1]):
    app(words, prog_name="evonas", standalone_mode=False)
    print(end="\\0", flush=True)
"""


def block_after(words: str) -> str:
    found = re.search(rf"`{re.escape(words)}`.*?```\w+\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None, f"CONTRIBUTING.md shows nothing for {words}"
    return found.group(1)


@pytest.fixture
def tree(working_folder: Path) -> Path:
    """A copy of the package and its spaces."""
    for folder in ("evonas", "search_spaces"):
        shutil.copytree(REPOSITORY / folder, working_folder / "tree" / folder)
    return working_folder / "tree"


def results_of(tree: Path, *commands: list[str]) -> list[dict[str, Any]]:
    """What the commands print, all of one process that imports this tree."""
    call = [sys.executable, "-c", RUN, json.dumps(commands)]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    result = subprocess.run(call, capture_output=True, text=True, env=environment, timeout=300)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.split("\0")[:-1]]


@pytest.mark.slow
def test_an_operation_takes_a_file_and_two_lines_and_a_space_one(tree: Path) -> None:
    (tree / "evonas/models/operations/blur.py").write_text(
        block_after("evonas/models/operations/blur.py")
    )
    modules = tree / "evonas/models/modules.py"
    imported, line = block_after("evonas/models/modules.py").strip("\n").split("\n\n")
    table = modules.read_text().replace("OPERATIONS = (\n", f"OPERATIONS = (\n{line}\n", 1)
    modules.write_text(f"{imported}\n{table}")
    operations = tree / "evonas/networks/cells/operations.py"
    body = operations.read_text().rstrip()
    assert body.endswith("}")
    line = block_after("evonas/networks/cells/operations.py").strip("\n")
    operations.write_text(f"{body[:-1]}{line}\n}}\n")
    (tree / "search_spaces/blur_cells.yaml").write_text(
        block_after("search_spaces/blur_cells.yaml")
    )

    words = ["space=blur_cells", "data.subset=100", "training.epochs=1", "executor=inline"]
    words += ["display=none", "run.name=blurred", "budget.evaluations=3", "latency.spread=1"]
    space, found, _ = results_of(
        tree,
        ["spaces", "blur_cells", "--json"],
        ["search", *words, "--json"],
        ["export", "blurred", "--to", "model", "--pick", "0", "--json"],
    )
    assert space["size"] == 6**4
    assert found["counts"]["complete"] == 3
    assert "blur_3x3" in Path("model/blueprint.json").read_text()
    assert "class Blur" in Path("model/model.py").read_text()
