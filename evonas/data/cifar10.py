"""CIFAR-10 as it is published, in binary or Python batches: www.cs.toronto.edu/~kriz/cifar.html."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evonas.data.arrays import Pairs, source_of
from evonas.data.data_files import each, given_folder, read_bytes
from evonas.data.dataset import Source
from evonas.data.plain_pickle import read_plain_pickle
from evonas.errors import DataError
from evonas.settings import DataSettings

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = "test_batch"
HOLDS = "data_batch_1.bin to data_batch_5.bin and test_batch.bin, or the Python batches"
SIDE_PX = 32
VALUES = 3 * SIDE_PX**2  # of an image: all red ones, then green, then blue


def read_cifar10(settings: DataSettings, resolution_px: int) -> Source:
    """50,000 training and 10,000 test images of 32x32 in six batches; the binary ones come first.

    Raises:
        DataError: Batches are missing, truncated or mislabelled; all are named.
    """
    folder = given_folder(settings, HOLDS)
    is_binary = any((folder / f"{name}.bin").exists() for name in (*TRAIN, TEST))
    if not is_binary and not any((folder / name).exists() for name in (*TRAIN, TEST)):
        raise DataError(f"{folder} has no batches of CIFAR-10. It should hold {HOLDS}.")
    read, ending = (_read_binary, ".bin") if is_binary else (_read_python, "")
    *train, test = each(read, [folder / f"{name}{ending}" for name in (*TRAIN, TEST)])
    _check_lengths(folder, ending, train)
    images = np.concatenate([batch.images for batch in train])
    labels = np.concatenate([batch.labels for batch in train])
    place = str(folder / f"data_batch_*{ending}")
    return source_of(CLASSES, Pairs(images, labels, place, place), test, resolution_px)


def _check_lengths(folder: Path, ending: str, batches: list[Pairs]) -> None:
    """All training batches are of one length: a shorter one was cut between two records."""
    counts = [len(batch.images) for batch in batches]
    short = [
        f"{folder / name}{ending} has {count:,} images, and other batches have {max(counts):,}. It "
        "is truncated: get it again."
        for name, count in zip(TRAIN, counts, strict=True)
        if count < max(counts)
    ]
    if short:
        raise DataError(short)


def _read_binary(file: Path) -> Pairs:
    """Records of a label and the values of an image."""
    content = np.frombuffer(read_bytes(file), np.uint8)
    if len(content) % (1 + VALUES):
        raise DataError(
            f"{file} is truncated or no batch of CIFAR-10: {len(content):,} bytes are no whole "
            f"number of records of {1 + VALUES:,} bytes."
        )
    records = content.reshape(-1, 1 + VALUES)
    return _pairs(records[:, 1:], records[:, 0], file)


def _read_python(file: Path) -> Pairs:
    """A pickled dict with an array `data` and a list `labels`."""
    values = read_plain_pickle(file)
    data, labels = values.get("data"), values.get("labels")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (VALUES,):
        raise DataError(f'{file} has no "data" of uint8 with {VALUES:,} values an image.')
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise DataError(f'{file} has no "labels", a list of whole numbers.')
    return _pairs(data, np.asarray(labels), file)


def _pairs(values: NDArray[np.uint8], labels: NDArray[np.generic], file: Path) -> Pairs:
    images = values.reshape(-1, 3, SIDE_PX, SIDE_PX).transpose(0, 2, 3, 1)
    pairs = Pairs(images, labels, str(file), str(file))
    if problems := pairs.problems(len(CLASSES)):
        raise DataError(problems)
    return pairs
