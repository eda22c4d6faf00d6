"""A weights file of Darknet: a header, and numbers in a row. Names and shapes are not in it."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evonas.errors import SettingsError

NUMBER = np.dtype("<f4")
VERSION = struct.Struct("<3i")  # major, minor, revision
# How many images the training had seen: of 8 bytes from version 0.2 on.
SEEN, SEEN_BEFORE = struct.Struct("<Q"), struct.Struct("<I")
LARGEST_VERSION = 1000  # above, connected layers lie the other way: files of 2015 and before

# What people have under such a name by mistake, by its first bytes.
OTHERS: Mapping[bytes, str] = {
    b"\x89HDF": "HDF5, as Keras writes it",
    b"<": "a web page",
    b"[": "a cfg, whose weights are in another file",
    b"version https://git-lfs": "a pointer of Git LFS in place of the file itself",
}
RIGHT = "Give a file that darknet wrote, such as darknet53.weights or darknet53.conv.74."


@dataclass(frozen=True)
class DarknetFile:
    """What a file holds. `images_seen`: how many its training had seen."""

    path: Path
    version: tuple[int, int, int]
    images_seen: int
    numbers: NDArray[np.float32]


def read_file(path: Path) -> DarknetFile:
    """The header and the numbers of a file.

    Raises:
        SettingsError: The file cannot be read, or Darknet has not written it.
    """
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise SettingsError(f"{path} cannot be read: {problem.strerror}. {RIGHT}") from None
    version = _version(path, content)
    seen = SEEN if version >= (0, 2, 0) else SEEN_BEFORE
    begin = VERSION.size + seen.size
    if len(content) <= begin or (len(content) - begin) % NUMBER.itemsize:
        raise SettingsError(
            f"{path} is cut off: a file of Darknet has {begin} bytes of header and numbers of "
            f"{NUMBER.itemsize} bytes, and this one has {len(content):,} bytes."
        )
    numbers = np.frombuffer(content, NUMBER, offset=begin).astype(np.float32)
    (images_seen,) = seen.unpack_from(content, VERSION.size)
    return DarknetFile(path, version, images_seen, numbers)


def _version(path: Path, content: bytes) -> tuple[int, int, int]:
    if len(content) > VERSION.size:
        major, minor, revision = VERSION.unpack_from(content)
        if all(0 <= part < LARGEST_VERSION for part in (major, minor, revision)):
            return major, minor, revision
    kinds = [what for begin, what in OTHERS.items() if content.startswith(begin)]
    begins = f"it is {kinds[0]}" if kinds else "it does not begin with a version"
    raise SettingsError(f"{path} is no weights file of Darknet: {begins}. {RIGHT}")
