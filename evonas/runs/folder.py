"""What lies in a run's folder, who makes it, and which of it is kept."""

import importlib.metadata
import json
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evonas.errors import RunError
from evonas.exporters.file_names import WEIGHTS
from evonas.hardware.device import device_description, device_fingerprint
from evonas.runs.ledger import Ledger
from evonas.settings import RunSettings, Settings
from evonas.space.document import space_name
from evonas.yaml_file import write_yaml

PACKAGES = ("evonas", "numpy", "onnxruntime", "pygad", "ray", "torch")
DATABASE = "run.db"
SPACE = "space.yaml"
IN_MEMORY = Path(":memory:")  # where a run without a folder says it lies, in the words of SQLite


def new_run_folder(
    settings: Settings, words: Iterable[str], space: Mapping[str, Any], facts: Mapping[str, Any]
) -> Path:
    """Makes the folder of a new run, all of it or nothing: settings, space, environment, ledger.

    Args:
        space: What the space's files say (`SpaceDocument.values`), kept in one file from now on.

    Raises:
        RunError: A run of that name is there already.
    """
    final = run_path(settings.run, settings.run.name or _free_name(settings))
    if final.exists():
        raise RunError(
            f"There is a run {final} already. Go on with it by evonas resume {final.name}, "
            "or give another run.name."
        )
    final.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
    try:
        _fill(folder, settings, words, space, facts)
        folder.chmod(0o755)
        folder.rename(final)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return final


def _fill(
    folder: Path,
    settings: Settings,
    words: Iterable[str],
    space: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> None:
    write_yaml(folder / "config.yaml", settings.to_dict())
    write_yaml(folder / "overrides.yaml", list(words))
    write_yaml(folder / SPACE, dict(space))
    (folder / "environment.json").write_text(as_json(environment()))
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


def run_path(run: RunSettings, name: str) -> Path:
    """Where the run of that name lies."""
    return run.folder / name


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
    write_yaml(folder / "config.yaml", settings.to_dict())
    with open(folder / "overrides.yaml", "a", encoding="utf-8") as file:
        file.writelines(f"- {json.dumps(word)}\n" for word in words)


def _free_name(settings: Settings) -> str:
    """SPACE-DATE-N of the letters that a run's name may have; N is the first that is free."""
    space = re.sub(r"[^A-Za-z0-9._-]+", "-", space_name(settings.space)).strip("._-") or "run"
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    number = 1
    while run_path(settings.run, f"{space}-{day}-{number}").exists():
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
