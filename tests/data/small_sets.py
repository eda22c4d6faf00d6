"""Small data sets in the form that the large ones are published in."""

import gzip
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evonas.data.dataset import Source
from evonas.data.readers import DATA_SETS
from evonas.errors import EvonasError
from evonas.settings import DataSettings

BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def read(name: str, path: Path | None, resolution_px: int) -> Source:
    return DATA_SETS[name].read(DataSettings(name=name, path=path), resolution_px)


def problems(name: str, path: Path | None) -> list[str]:
    """What reading a data set says that is wrong with it."""
    with pytest.raises(EvonasError) as failure:
        read(name, path, 8)
    return failure.value.problems


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(">I", 0x0800 + array.ndim)
    return header + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_mnist(folder: Path) -> Path:
    """30 images for training and 10 for testing, each of one level; the test part gzipped."""
    folder.mkdir()
    for part, count, pack in (("train", 30, bytes), ("t10k", 10, gzip.compress)):
        ending = ".gz" if part == "t10k" else ""
        levels = np.repeat(np.arange(count, dtype=np.uint8), 28 * 28).reshape(-1, 28, 28)
        labels = (np.arange(count) % 10).astype(np.uint8)
        (folder / f"{part}-images-idx3-ubyte{ending}").write_bytes(pack(idx(levels)))
        (folder / f"{part}-labels-idx1-ubyte{ending}").write_bytes(pack(idx(labels)))
    return folder


def cifar_batch(batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten images: red tells the batch, green the image, and only the top left pixel is blue."""
    values = np.zeros((10, 3, 32, 32), np.uint8)
    values[:, 0] = batch
    values[:, 1] = np.arange(10)[:, None, None]
    values[:, 2, 0, 0] = 255
    return values.reshape(10, -1), (np.arange(10) + batch) % 10


def write_binary_cifar(folder: Path) -> Path:
    folder.mkdir()
    for batch, name in enumerate(BATCHES):
        values, labels = cifar_batch(batch)
        records = np.concatenate([labels[:, None].astype(np.uint8), values], axis=1)
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    return folder


def write_python_cifar(folder: Path, protocol: int) -> Path:
    folder.mkdir()
    for batch, name in enumerate(BATCHES):
        values, labels = cifar_batch(batch)
        content = {b"batch_label": b"a batch", b"data": values, b"labels": labels.tolist()}
        (folder / name).write_bytes(pickle.dumps(content, protocol=protocol))
    return folder


def write_npz(file: Path, **changes: Any) -> Path:
    """Twelve grey images of two classes, unless arrays are changed, or left out by None."""
    levels = np.repeat(np.arange(12, dtype=np.uint8), 36).reshape(12, 6, 6)
    arrays = {"images": levels, "labels": np.arange(12) % 2, **changes}
    np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
    return file
