"""What lies in a run's folder, who makes it, and which of it is kept."""

import errno
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evonas.errors import FileError, RunError
from evonas.exporters.file_names import WEIGHTS
from evonas.files import new_folder, write_atomically
from evonas.hardware.device import device_description, device_fingerprint
from evonas.runs.ledger import Ledger
from evonas.settings import Settings
from evonas.space.document import space_name
from evonas.yaml_file import read_yaml, write_yaml

PACKAGES = ("evonas", "numpy", "onnxruntime", "pygad", "ray", "torch")
DATABASE = "run.db"
SPACE = "space.yaml"
SETTINGS = "config.yaml"
WORDS = "overrides.yaml"
ENVIRONMENT = "environment.json"
TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)  # where a folder is to be renamed to
_OTHER_FOLDER = "Give run.folder=DIR, a folder in which you may write."
IN_MEMORY = Path(":memory:")  # where a run without a folder says it lies, in the words of SQLite


def new_run_folder(
    settings: Settings, words: Iterable[str], space: Mapping[str, Any], facts: Mapping[str, Any]
) -> Path:
    """Makes the folder of a new run, all of it or nothing: settings, space, environment, ledger.

    Args:
        space: What the space's files say (`SpaceDocument.values`), kept in one file from now on.

    Without `run.name`, it gets the next free one, also of searches that start at the same time.

    Raises:
        RunError: A run of that name is there already, or no folder can be made there.
    """
    named = settings.run.name
    if named is not None and os.path.lexists(settings.run.folder / named):
        raise _taken(settings.run.folder / named)
    with ExitStack() as stack:
        unfinished = _unfinished_folder(settings.run.folder, stack)
        _fill(unfinished, settings, words, space, facts)
        return _moved(unfinished, settings)


def _unfinished_folder(runs: Path, stack: ExitStack) -> Path:
    """A new folder that no reader takes for a run, because its name begins with a dot."""
    try:
        runs.mkdir(parents=True, exist_ok=True)
        return stack.enter_context(new_folder(runs, ".new-run-"))
    except (FileExistsError, NotADirectoryError):
        raise RunError(f"run.folder={runs} is a file, or lies below one. {_OTHER_FOLDER}") from None
    except OSError as problem:
        why = (problem.strerror or str(problem)).lower()
        raise FileError(
            f"run.folder={runs}: no run can be made there: {why}. {_OTHER_FOLDER}"
        ) from None


def _moved(unfinished: Path, settings: Settings) -> Path:
    """Gives a filled folder its name; the system sees to it that no two get the same.

    Only an empty folder is replaced by a folder that takes its name.
    """
    named = settings.run.name
    while True:
        final = settings.run.folder / (named or _free_name(settings))
        try:
            return unfinished.rename(final)
        except OSError as problem:
            if problem.errno not in TAKEN:
                raise
            if named:
                raise _taken(final) from None


def _taken(folder: Path) -> RunError:
    if not (folder / DATABASE).exists():
        return RunError(f"{folder} is there already, and is no run. Give another run.name.")
    return RunError(
        f"There is a run {folder} already. Go on with it by evonas resume {folder}, "
        "or give another run.name."
    )


def _fill(
    folder: Path,
    settings: Settings,
    words: Iterable[str],
    space: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> None:
    write_yaml(folder / SETTINGS, settings.to_dict())
    write_yaml(folder / WORDS, list(words))
    write_yaml(folder / SPACE, dict(space))
    write_atomically(folder / ENVIRONMENT, as_json(environment()))
    Ledger.create(folder / DATABASE, facts).close()


def find_run(name: str, folder: Path = Path("runs")) -> Path:
    """The folder of a run given by name or by path.

    Raises:
        RunError: There is no such run; the message lists those there are.
    """
    for candidate in (folder / name, Path(name).expanduser()):
        if (candidate / DATABASE).exists():
            return candidate
    known = ", ".join(path.name for path in run_folders(folder)) or "none"
    raise RunError(f'There is no run "{name}" in {folder}. Known: {known}.')


def run_folders(folder: Path) -> list[Path]:
    """All runs in a folder, oldest first."""
    databases = folder.glob(f"[!.]*/{DATABASE}")
    return sorted((path.parent for path in databases), key=lambda path: path.stat().st_mtime)


def environment() -> dict[str, Any]:
    """Versions, commit and device: what a result may depend on."""
    return {
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "commit": _commit(),
        "device": device_description(),
        "device_fingerprint": device_fingerprint(),
    }


def keep_weights(run: Path, numbers: Iterable[int]) -> None:
    """Deletes the weights of all trials but these, so that a long run does not fill the disk."""
    kept = {str(number) for number in numbers}
    for folder in (run / "trials").glob("*"):
        if folder.name not in kept:
            shutil.rmtree(folder)


def has_weights(run: Path) -> bool:
    """True if there may be weights to keep or to delete: a run without trainings has none."""
    return (run / "trials").is_dir()


def weights_file(run: Path, number: int) -> Path:
    """Where the trained proxy weights of a trial are, if they were kept."""
    return run / "trials" / str(number) / WEIGHTS


def write_config(folder: Path, settings: Settings, words: Iterable[str]) -> None:
    """Replaces the settings after a resume changed them; adds the words that did."""
    write_yaml(folder / SETTINGS, settings.to_dict())
    typed, _ = read_yaml(folder / WORDS, RunError)
    write_yaml(folder / WORDS, [*(typed or []), *words])


def _free_name(settings: Settings) -> str:
    """SPACE-DATE-N of the letters that a run's name may have; N is the first that is free."""
    space = re.sub(r"[^A-Za-z0-9._-]+", "-", space_name(settings.space)).strip("._-") or "run"
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    number = 1
    while os.path.lexists(settings.run.folder / f"{space}-{day}-{number}"):
        number += 1
    return f"{space}-{day}-{number}"


def _commit() -> str | None:
    """The commit of the source tree that evonas runs from, if it is one."""
    tree = Path(__file__).resolve().parents[2]
    if not (tree / ".git").exists():
        return None
    command = ["git", "-C", str(tree), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()


def as_json(values: Mapping[str, Any]) -> str:
    """One JSON document, ending with a line feed."""
    return json.dumps(values, indent=2, allow_nan=False) + "\n"
