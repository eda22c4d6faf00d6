import gzip
from pathlib import Path

import numpy as np
import pytest
from small_sets import idx, problems, read, write_mnist

from evonas.data.mnist import FASHION


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    return write_mnist(tmp_path / "mnist")


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_images_labels_and_the_official_test_part_are_read(mnist: Path, name: str) -> None:
    source = read(name, mnist, 28)
    assert source.test is not None
    assert source.development.images.shape == (30, 1, 28, 28)
    assert source.development.images[:, 0, 5, 5].tolist() == list(range(30))
    assert source.development.targets.tolist() == [*range(10)] * 3
    assert source.test.images[:, 0, 0, 0].tolist() == source.test.targets.tolist() == [*range(10)]
    assert source.classes == (tuple("0123456789") if name == "mnist" else FASHION)


def test_images_are_resized(mnist: Path) -> None:
    assert read("mnist", mnist, 32).development.images.shape == (30, 1, 32, 32)


def test_the_other_spelling_of_file_names_does_as_well(mnist: Path) -> None:
    for file in list(mnist.iterdir()):
        file.rename(mnist / file.name.replace("-idx", ".idx"))
    assert len(read("mnist", mnist, 28).development) == 30


def test_no_path_and_no_folder_are_told(tmp_path: Path) -> None:
    assert problems("mnist", None)[0].startswith("data=mnist needs data.path=DIR, a folder with ")
    assert problems("mnist", tmp_path / "no")[0].startswith(f"There is no folder {tmp_path / 'no'}")


def test_all_missing_files_are_named(mnist: Path) -> None:
    (mnist / "train-labels-idx1-ubyte").unlink()
    (mnist / "t10k-images-idx3-ubyte.gz").unlink()
    assert problems("mnist", mnist) == [
        f"{mnist}/train-labels-idx1-ubyte or that with .gz is missing.",
        f"{mnist}/t10k-images-idx3-ubyte or that with .gz is missing.",
    ]


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (0, " is empty."),
        (3, " begins with the magic number 0x00000008"),
        (10, " is truncated within its header."),
        (-5, " is truncated: its header promises 30 x 28 x 28 bytes, 23,515 are there."),
    ],
)
def test_a_truncated_file_is_named(mnist: Path, keep: int, message: str) -> None:
    file = mnist / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:keep])
    (problem,) = problems("mnist", mnist)
    assert problem.startswith(f"{file}{message}")


def test_more_bytes_than_promised_are_told(mnist: Path) -> None:
    file = mnist / "train-labels-idx1-ubyte"
    file.write_bytes(file.read_bytes() + b"x")
    (problem,) = problems("mnist", mnist)
    assert problem.startswith(f"{file} is too long: its header promises 30 bytes, 31 are there.")


def test_a_truncated_gz_is_named_beside_other_problems(mnist: Path) -> None:
    packed, empty = mnist / "t10k-images-idx3-ubyte.gz", mnist / "train-images-idx3-ubyte"
    packed.write_bytes(packed.read_bytes()[:-20])
    empty.write_bytes(b"")
    first, second = problems("mnist", mnist)
    assert first == f"{empty} is empty."
    assert second.startswith(f"{packed} cannot be unpacked: Compressed file ended")


@pytest.mark.parametrize("position", [8, 15, 30])
def test_a_damaged_gz_is_named(mnist: Path, position: int) -> None:
    file = mnist / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(file.read_bytes())
    content[position] ^= 0xFF
    file.write_bytes(content)
    if position != 8:  # a note on how it was packed, of no consequence
        assert str(file) in problems("mnist", mnist)[0]


def test_files_that_were_mixed_up_are_told(mnist: Path) -> None:
    file = mnist / "train-images-idx3-ubyte"
    file.write_bytes((mnist / "train-labels-idx1-ubyte").read_bytes())
    assert problems("mnist", mnist) == [
        f"{file} begins with the magic number 0x00000801, and an idx file of images begins with "
        "0x00000803: these are labels."
    ]


def test_labels_of_another_number_are_told_with_both_files(mnist: Path) -> None:
    labels, images = mnist / "train-labels-idx1-ubyte", mnist / "train-images-idx3-ubyte"
    labels.write_bytes(idx(np.zeros(29, np.uint8)))
    assert problems("mnist", mnist) == [
        f"{labels} has 29 labels for the 30 images of {images}. Each image needs one."
    ]


def test_a_label_outside_the_classes_is_told(mnist: Path) -> None:
    file = mnist / "t10k-labels-idx1-ubyte.gz"
    file.write_bytes(gzip.compress(idx(np.array([0, 1, 2, 11, 4, 5, 6, 7, 8, 12], np.uint8))))
    assert problems("mnist", mnist) == [
        f"{file}: the label of image 3 is 11, and the 10 classes are 0 to 9. Wrong in all: 2."
    ]


def test_a_class_with_too_few_images_is_told(mnist: Path) -> None:
    file = mnist / "train-labels-idx1-ubyte"
    file.write_bytes(idx((np.arange(30) % 9).astype(np.uint8)))
    assert problems("mnist", mnist) == [
        f"{file}: class 9 (9) has 0 images, and a class needs 3 or more."
    ]
