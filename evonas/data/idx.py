"""Files of the idx format, which MNIST came with: yann.lecun.com/exdb/mnist."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evonas.data.data_files import read_bytes
from evonas.errors import DataError

GZIP = b"\x1f\x8b"
IMAGES = 3  # dimensions: images, height, width
LABELS = 1
CONTENTS = {IMAGES: "images", LABELS: "labels"}


def read_idx(file: Path, dimensions: int) -> NDArray[np.uint8]:
    """The bytes of an idx file, gzipped or not, in their shape.

    Args:
        dimensions: `IMAGES` or `LABELS`.

    Raises:
        DataError: It is missing, truncated, too long or holds something else.
    """
    content = _unpacked(file)
    magic = int.from_bytes(content[:4], "big")
    expected = 0x0800 + dimensions  # 8: unsigned bytes
    if magic != expected:
        raise DataError(
            f"{file} begins with the magic number 0x{magic:08x}, and an idx file of "
            f"{CONTENTS[dimensions]} begins with 0x{expected:08x}{_mixed_up(magic)}."
        )
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise DataError(f"{file} is truncated within its header. Download it again.")
    shape = tuple(int(n) for n in np.frombuffer(content[4:start], ">u4"))
    if len(content) != start + math.prod(shape):
        found = len(content) - start
        wrong = "truncated" if found < math.prod(shape) else "too long"
        raise DataError(
            f"{file} is {wrong}: its header promises {' x '.join(map(str, shape))} bytes, "
            f"{found:,} are there. Download it again."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _unpacked(file: Path) -> bytes:
    content = read_bytes(file)
    if not content.startswith(GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{file} cannot be unpacked: {str(error).rstrip('.')}. It is truncated or damaged: "
            "download it again."
        ) from None


def _mixed_up(magic: int) -> str:
    other = CONTENTS.get(magic - 0x0800)
    return f": these are {other}" if other else ""
