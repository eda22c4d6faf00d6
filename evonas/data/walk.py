"""What lies in a folder of the user's, but for what systems and evonas itself left there."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from evonas.cache_folder import cache_folder
from evonas.errors import DataError

# What systems and archives leave beside files; all in lower case, and all that begins with a dot.
LITTER = {
    "$recycle.bin",
    "@eadir",
    "__macosx",
    "__pycache__",
    "desktop.ini",
    "ehthumbs.db",
    "icon\r",
    "lost+found",
    "system volume information",
    "thumbs.db",
}
# A folder with all files of such a group is a run, a model, or images that evonas decoded.
WRITTEN = (("run.db",), ("blueprint.json", "model.py"), ("contents.json", "train_labels.npy"))


@dataclass
class Walk:
    """All files below a folder, sorted, and what was passed by: litter, folders of evonas's."""

    files: list[Path] = field(default_factory=list)
    hidden: list[Path] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)


def walk(root: Path) -> Walk:
    """Looks through a folder and all below it; links are followed, but not in a circle.

    Raises:
        DataError: A folder cannot be read.
    """
    found = Walk()
    cache = _identity(cache_folder("data").parent)
    left = [(root, frozenset([cache, _identity(root)]))]
    while left:
        folder, way = left.pop()
        for entry in _entries(folder):
            path = folder / entry.name
            if is_litter(entry.name):
                found.hidden.append(path)
            elif not entry.is_dir():
                found.files.append(path)
            elif _identity(path) == cache or is_written(path):
                found.written.append(path)
            elif _identity(path) not in way:
                left.append((path, way | {_identity(path)}))
    for paths in (found.files, found.hidden, found.written):
        paths.sort()
    return found


def is_litter(name: str) -> bool:
    """True of names that are hidden, or that systems and archives give to files of theirs."""
    return name.startswith(".") or name.lower() in LITTER


def is_written(folder: Path) -> bool:
    """True of a folder that evonas wrote, told by its files and not by its name."""
    return any(all((folder / name).is_file() for name in names) for names in WRITTEN)


def _identity(folder: Path) -> tuple[int, int]:
    try:
        status = folder.stat()
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}.") from None
    return status.st_dev, status.st_ino


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}.") from None
