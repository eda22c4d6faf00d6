import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_sets import BATCHES, problems, read, write_binary_cifar, write_python_cifar

from evonas.data.dataset import Source


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    return write_binary_cifar(tmp_path / "bin")


@pytest.fixture
def python(tmp_path: Path) -> Path:
    return write_python_cifar(tmp_path / "py", 2)


def check(source: Source) -> None:
    assert source.test is not None
    assert source.classes[0] == "airplane"
    assert source.classes[9] == "truck"
    images, labels = source.development.images, source.development.targets
    assert images.shape == (50, 3, 32, 32)
    assert images[:, 0, 9, 9].tolist() == np.repeat(np.arange(5), 10).tolist()
    assert images[:, 1, 9, 9].tolist() == [*range(10)] * 5
    assert images[0, 2, :2, :2].tolist() == [[255, 0], [0, 0]]
    assert labels.tolist() == [(image + batch) % 10 for batch in range(5) for image in range(10)]
    assert source.test.images.shape == (10, 3, 32, 32)
    assert set(source.test.images[:, 0].ravel()) == {5}


def test_binary_batches_are_read(binary: Path) -> None:
    check(read("cifar10", binary, 32))


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_python_batches_are_read(tmp_path: Path, protocol: int) -> None:
    check(read("cifar10", write_python_cifar(tmp_path / "py", protocol), 32))


def test_images_are_resized(binary: Path) -> None:
    assert read("cifar10", binary, 24).development.images.shape == (50, 3, 24, 24)


def test_a_folder_of_something_else_is_told(tmp_path: Path) -> None:
    (problem,) = problems("cifar10", tmp_path)
    assert problem.startswith(f"{tmp_path} has no batches of CIFAR-10. It should hold data_batch_1")


@pytest.mark.parametrize("form", ["binary", "python"])
def test_all_missing_batches_are_named(form: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(form)
    ending = ".bin" if form == "binary" else ""
    files = [folder / f"{name}{ending}" for name in ("data_batch_3", "test_batch")]
    for file in files:
        file.unlink()
    assert problems("cifar10", folder) == [f"{file} is missing." for file in files]


def test_all_damaged_batches_are_named(binary: Path) -> None:
    cut, empty, short = (binary / f"{name}.bin" for name in BATCHES[1:4])
    cut.write_bytes(cut.read_bytes()[:-1])
    empty.write_bytes(b"")
    first, second = problems("cifar10", binary)
    assert first == (
        f"{cut} is truncated or no batch of CIFAR-10: 30,729 bytes are no whole number of records "
        "of 3,073 bytes."
    )
    assert second == f"{empty} is empty."
    write_again(binary)
    short.write_bytes(short.read_bytes()[:-3073])
    assert problems("cifar10", binary) == [
        f"{short} has 9 images, and other batches have 10. It is truncated: get it again."
    ]


def write_again(binary: Path) -> None:
    for file in binary.iterdir():
        file.unlink()
    binary.rmdir()
    write_binary_cifar(binary)


def test_a_label_outside_the_classes_is_told_with_its_file(binary: Path) -> None:
    file = binary / "data_batch_2.bin"
    content = bytearray(file.read_bytes())
    content[4 * 3073] = 77
    file.write_bytes(content)
    assert problems("cifar10", binary) == [
        f"{file}: the label of image 4 is 77, and the 10 classes are 0 to 9. Wrong in all: 1."
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({b"data": np.zeros((10, 3071), np.uint8)}, ' has no "data" of uint8 with 3,072 values'),
        ({b"data": np.zeros((10, 3072), np.int16)}, ' has no "data" of uint8 with 3,072 values'),
        ({b"data": b"raw"}, ' has no "data" of uint8'),
        ({b"labels": None}, ' has no "labels", a list of whole numbers.'),
        ({b"labels": [1.5] * 10}, ' has no "labels", a list of whole numbers.'),
        ({b"labels": [1] * 9}, " has 9 labels for the 10 images of "),
        ({b"labels": [10] * 10}, ": the label of image 0 is 10, and the 10 classes are 0 to 9."),
        ({b"labels": [2**80] * 10}, ": the label of image 0 is 1208925819614629174706176"),
    ],
)
def test_a_python_batch_of_something_else_is_told(
    python: Path, change: dict[bytes, Any], message: str
) -> None:
    file = python / "data_batch_5"
    content = {b"data": np.zeros((10, 3072), np.uint8), b"labels": [0] * 10, **change}
    file.write_bytes(pickle.dumps(content, protocol=2))
    (problem,) = problems("cifar10", python)
    assert problem.startswith(f"{file}{message}")


@pytest.mark.parametrize(("make", "what"), [(os.mkfifo, "a pipe"), (os.mkdir, "a folder")])
def test_what_is_no_file_is_told_without_waiting_for_it(
    tmp_path: Path, make: Callable[[Path], None], what: str
) -> None:
    folder = write_binary_cifar(tmp_path / "cifar")
    file = folder / "data_batch_2.bin"
    file.unlink()
    make(file)
    assert problems("cifar10", folder) == [f"{file} is {what}."]
