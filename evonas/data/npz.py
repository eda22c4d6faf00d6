"""A file of numpy arrays, as numpy.savez writes it."""

import math
import os
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format
from numpy.typing import NDArray

from evonas.data.arrays import Pairs, Pictures, source_of
from evonas.data.dataset import Source
from evonas.data.decode import MOST_PIXELS
from evonas.errors import DataError
from evonas.settings import DataSettings

OWN = ("images", "labels", "test_images", "test_labels")
KERAS = ("x_train", "y_train", "x_test", "y_test")
GIB = 2**30
Arrays = dict[str, NDArray[Any]]


def read_npz(settings: DataSettings, resolution_px: int) -> Source:
    """`images` and `labels`, and where it has them `test_images`, `test_labels` and `classes`.

    Images are (images, height, width) or (images, height, width, 1 or 3), of uint8 or of floats
    from 0 to 1; labels whole numbers from 0; classes the names. Keras's names do as well: x_train,
    y_train, x_test, y_test.

    Raises:
        DataError: The file is missing or damaged, or its arrays are not like that.
    """
    file = settings.path
    if file is None:
        raise DataError("data=npz needs data.path=FILE.npz, a file with images and labels.")
    arrays = _load(file)
    names = KERAS if "x_train" in arrays else OWN
    problems = [f'{file} has no array "{name}".' for name in names[:2] if name not in arrays]
    if len({name in arrays for name in names[2:]}) == 2:
        problems.append(f"{file} has only one of {names[2]} and {names[3]}: both, or none.")
    if problems:
        known = ", ".join(sorted(arrays)) or "none"
        raise DataError([*problems, f"Its arrays: {known}."])
    used = [name for name in names if name in arrays]
    for name in used:
        problems += (_wrong_images if "label" not in name and name[0] != "y" else _wrong_labels)(
            arrays[name], f"{file}, {name}"
        )
    if problems:
        raise DataError(problems)
    return _source(file, arrays, used, resolution_px)


def _load(file: Path) -> Arrays:
    if not file.is_file():
        raise DataError(f"There is no file {file}. Give data.path=FILE.npz.")
    if not zipfile.is_zipfile(file):
        raise DataError(f"{file} is no npz file, or a truncated one. numpy.savez writes such.")
    try:
        # Opened here: numpy forgets to close a file that it cannot read.
        with open(file, "rb") as content, np.load(content, allow_pickle=False) as opened:
            _check_sizes(opened.zip)
            arrays = {name: opened[name] for name in opened.files}
    except Exception as error:  # a damaged file makes zipfile and numpy stumble in many ways
        reason = str(error) or type(error).__name__
        raise DataError(f"{file} cannot be read: {reason.rstrip('.')}.") from None
    return {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)}


def _check_sizes(archive: zipfile.ZipFile) -> None:
    """Before memory is taken for what a few bytes may declare.

    Raises:
        ValueError: An array is not as large as it says, or does not fit into memory.
    """
    needed, memory = 0, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for member in archive.infolist():
        if not member.filename.endswith(".npy"):
            continue
        with archive.open(member) as opened:
            shape, dtype = _declared(opened)
            size = member.file_size - opened.tell()
        name, said = member.filename.removesuffix(".npy"), " x ".join(map(str, shape))
        if len(shape) in (3, 4) and shape[1] * shape[2] > MOST_PIXELS:
            raise ValueError(f"{name} are {said}, and an image has {MOST_PIXELS:,} pixels at most")
        if not dtype.hasobject and math.prod(shape) * dtype.itemsize != size:
            raise ValueError(f"{name} says that it is {said} of {dtype}, and has {size:,} bytes")
        needed += size
    if needed > memory:
        raise ValueError(f"it needs {needed / GIB:.1f} GiB, and memory has {memory / GIB:.1f}")


def _declared(opened: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = format.read_magic(opened)
    read = format.read_array_header_1_0 if version == (1, 0) else format.read_array_header_2_0
    shape, _, dtype = read(opened)
    return shape, dtype


def _wrong_images(images: NDArray[Any], place: str) -> list[str]:
    shape = " x ".join(map(str, images.shape))
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] not in (1, 3)):
        turn = ", turned by .transpose(0, 2, 3, 1)" if images.shape[1:2] in ((1,), (3,)) else ""
        return [
            f"{place}: the shape is {shape}. It should be images x height x width, or that x 1 or "
            f"x 3 channels{turn}."
        ]
    if 0 in images.shape:
        return [f"{place} has no images: the shape is {shape}."]
    if images.dtype == np.uint8:
        return []
    if images.dtype.kind != "f":
        return [f"{place}: {images.dtype} are no levels. Write uint8, or floats from 0 to 1."]
    low, high = images.min(), images.max()
    if low >= 0 and high <= 1:
        return []
    return [f"{place}: floats have to be from 0 to 1, these are from {low:g} to {high:g}."]


def _wrong_labels(labels: NDArray[Any], place: str) -> list[str]:
    if labels.ndim == 1 and labels.dtype.kind in "iu":
        return []
    shape = " x ".join(map(str, labels.shape)) or "a single one"
    return [
        f"{place}: {labels.dtype} of shape {shape} are no labels. Write one whole number an image."
    ]


def _source(file: Path, arrays: Arrays, used: list[str], resolution_px: int) -> Source:
    pairs = [
        Pairs(_levels(arrays[images]), arrays[labels], f"{file}, {images}", f"{file}, {labels}")
        for images, labels in zip(used[::2], used[1::2], strict=True)
    ]
    test = pairs[1] if len(pairs) == 2 else None
    if test and _channels(test.images) != _channels(pairs[0].images):
        raise DataError(
            f"{file}: {used[0]} have {_channels(pairs[0].images)} channels and {used[2]} have "
            f"{_channels(test.images)}."
        )
    return source_of(_classes(file, arrays, arrays[used[1]]), pairs[0], test, resolution_px)


def _classes(file: Path, arrays: Arrays, labels: NDArray[Any]) -> tuple[str, ...]:
    """The names; without any, numbers up to the largest label."""
    if "classes" not in arrays:
        largest = int(labels.max(initial=1))
        if largest > len(labels):
            raise DataError(
                f"{file}: the largest label is {largest}, and there are {len(labels):,} labels. "
                "Number the classes from 0 without gaps."
            )
        return tuple(map(str, range(largest + 1)))
    classes = arrays["classes"]
    names = tuple(map(str, classes.ravel()))
    if classes.ndim != 1 or classes.dtype.kind != "U" or not 2 <= len(set(names)) == len(names):
        raise DataError(f"{file}, classes: they should be two or more strings that differ.")
    return names


def _levels(images: NDArray[Any]) -> Pictures:
    """Floats of 0..1 as levels of 0..255."""
    if images.dtype == np.uint8:
        return images
    return np.round(images.astype(np.float32) * 255).astype(np.uint8)


def _channels(images: Pictures) -> int:
    return images.shape[3] if images.ndim == 4 else 1
