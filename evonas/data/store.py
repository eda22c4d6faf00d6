"""Arrays on the disk: made once, whole or not at all, and shared by all processes."""

import json
import mmap
import shutil
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evonas.cache_folder import cache_folder
from evonas.errors import DataError, FileError
from evonas.files import lock
from evonas.key import key_of

CONTENTS = "contents.json"


@dataclass(frozen=True)
class Stored:
    """Plain values and named arrays.

    Arrays that were read back are memory-mapped; what a process writes into them is its own.
    `content` is then a key of all that they hold.
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]
    content: str = ""


def stored(folder: Path, make: Callable[[], Stored]) -> Stored:
    """What lies in `folder`; made first, by one process for all, if it is missing or damaged.

    Raises:
        FileError: The folder cannot be written.
        EvonasError: What `make` raises.
    """
    found = _read(folder)
    if found is not None:
        return found
    name = f"data-{folder.parent.name}-{folder.name}"
    with lock(cache_folder("locks") / name):
        found = _read(folder)  # another process may have made it meanwhile
        if found is None:
            _write(folder, make())
            found = _read(folder)
    if found is None:
        raise DataError(f"{folder} is damaged as soon as it is written. Is its disk in order?")
    return found


def _read(folder: Path) -> Stored | None:
    """None if anything is missing, truncated or changed."""
    try:
        contents = json.loads((folder / CONTENTS).read_bytes())
        facts, checksums = contents["facts"], contents["checksums"]
        if contents["key"] != key_of([facts, checksums]):
            return None
        files = {name: folder / f"{name}.npy" for name in checksums}
        if any(_checksum(files[name]) != expected for name, expected in checksums.items()):
            return None
        # Not "r": torch wants arrays that could be written.
        arrays = {name: np.load(file, mmap_mode="c") for name, file in files.items()}
        return Stored(facts, arrays, key_of(checksums))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _checksum(file: Path) -> int:
    with open(file, "rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as content:
        return zlib.crc32(content)


def _write(folder: Path, made: Stored) -> None:
    """Writes beside the place and moves there; the lock is held."""
    partial = folder.with_name(f"{folder.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
        partial.mkdir(parents=True)
        for name, array in made.arrays.items():
            np.save(partial / f"{name}.npy", array, allow_pickle=False)
        checksums = {name: _checksum(partial / f"{name}.npy") for name in made.arrays}
        key = key_of([made.facts, checksums])
        contents = {"facts": made.facts, "checksums": checksums, "key": key}
        (partial / CONTENTS).write_text(json.dumps(contents))
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise FileError(
            f"Decoded images cannot be kept in {folder.parent}: {error.strerror or error}. Make "
            "room there, or name another place in the environment variable EVONAS_CACHE."
        ) from None
