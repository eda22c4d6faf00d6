import re
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_sets import problems, read, write_npz

from evonas.errors import DataError

LEVELS = np.arange(12, dtype=np.uint8)


def grown(*shape: int) -> np.ndarray:
    """Twelve images, each of its own level, in a shape."""
    return np.broadcast_to(LEVELS.reshape(12, *[1] * len(shape)), (12, *shape)).copy()


@pytest.mark.parametrize(("shape", "channels"), [((6, 6), 1), ((6, 6, 1), 1), ((6, 6, 3), 3)])
@pytest.mark.parametrize("resolution_px", [4, 6, 9])
def test_images_of_either_form_are_read(
    tmp_path: Path, shape: tuple[int, ...], channels: int, resolution_px: int
) -> None:
    file = write_npz(tmp_path / "set.npz", images=grown(*shape))
    source = read("npz", file, resolution_px)
    assert source.development.images.shape == (12, channels, resolution_px, resolution_px)
    assert np.array_equal(source.development.images[:, 0, 1, 1], LEVELS)
    assert source.development.targets.tolist() == [0, 1] * 6
    assert source.classes == ("0", "1")
    assert source.test is None


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_of_0_to_1_are_levels(tmp_path: Path, dtype: Any) -> None:
    levels = np.linspace(0, 1, 12 * 36).reshape(12, 6, 6).astype(dtype)
    images = read("npz", write_npz(tmp_path / "set.npz", images=levels), 6).development.images
    assert np.abs(images[:, 0] / 255 - levels).max() <= 0.51 / 255


def test_long_images_are_cut_to_their_central_square(tmp_path: Path) -> None:
    images = grown(6, 12)
    images[:, :, :3] = images[:, :, 9:] = 255
    source = read("npz", write_npz(tmp_path / "set.npz", images=images), 6)
    assert np.array_equal(source.development.images[:, 0, 0, 0], LEVELS)


def test_test_arrays_and_names_of_classes_are_read(tmp_path: Path) -> None:
    tests = {"test_images": grown(6, 6)[:4], "test_labels": np.array([1, 1, 0, 2])}
    labels = np.arange(12) % 3
    names = np.array(["ant", "bee", "cow"])
    file = write_npz(tmp_path / "set.npz", labels=labels, classes=names, **tests)
    source = read("npz", file, 6)
    assert source.classes == ("ant", "bee", "cow")
    assert source.test is not None
    assert source.test.targets.tolist() == [1, 1, 0, 2]
    assert source.test.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3]


def test_files_of_keras_are_read(tmp_path: Path) -> None:
    file = tmp_path / "mnist.npz"
    images, labels = grown(6, 6), np.arange(12, dtype=np.uint8) % 2
    np.savez_compressed(file, x_train=images, y_train=labels, x_test=images[:4], y_test=labels[:4])
    source = read("npz", file, 6)
    assert source.test is not None
    assert (len(source.development), len(source.test)) == (12, 4)


NOTHING = np.zeros((0, 6, 6), np.uint8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": None}, ' has no array "labels".'),
        ({"test_images": grown(6, 6)}, " has only one of test_images and test_labels: both, or"),
        ({"images": grown(3, 6, 6)}, ", images: the shape is 12 x 3 x 6 x 6. It should be images "),
        ({"images": grown(36)}, ", images: the shape is 12 x 36. It should be images x height x"),
        ({"images": grown(6, 6, 4)}, ", images: the shape is 12 x 6 x 6 x 4. It should be images"),
        ({"images": NOTHING}, ", images has no images: the shape is 0 x 6 x 6."),
        ({"images": grown(6, 6).astype(int)}, ", images: int64 are no levels. Write uint8, or"),
        ({"images": grown(6, 6) * 1.0}, ", images: floats have to be from 0 to 1, these are from "),
        ({"images": grown(6, 6) * np.nan}, ", images: floats have to be from 0 to 1, these are f"),
        ({"labels": np.eye(12)}, ", labels: float64 of shape 12 x 12 are no labels. Write one"),
        ({"labels": np.array(3)}, ", labels: int64 of shape a single one are no labels."),
        ({"labels": np.arange(11) % 2}, ", labels has 11 labels for the 12 images of "),
        ({"labels": np.arange(12) % 2 - 1}, ", labels: the label of image 0 is -1, and the 2 clas"),
        ({"labels": np.arange(12) % 2 * 2}, ", labels: class 1 (1) has 0 images, and a class nee"),
        ({"labels": np.arange(12) % 2 * 10**12}, ": the largest label is 1000000000000, and there"),
        ({"labels": np.zeros(12, int)}, ", labels: class 1 (1) has 0 images"),
        ({"classes": np.array(["a", "a"])}, ", classes: they should be two or more strings that"),
        (
            {"classes": np.array([1, 2])},
            ", classes: they should be two or more strings that differ",
        ),
        ({"images": np.array([{}], dtype=object)}, " cannot be read: Object arrays cannot be load"),
    ],
)
def test_arrays_that_are_no_data_set_are_told(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    file = write_npz(tmp_path / "set.npz", **changes)
    assert problems("npz", file)[0].startswith(f"{file}{message}")


def test_a_turned_array_is_told_how_to_turn_it_back(tmp_path: Path) -> None:
    file = write_npz(tmp_path / "set.npz", images=grown(3, 6, 6))
    assert problems("npz", file)[0].endswith("channels, turned by .transpose(0, 2, 3, 1).")


def test_all_arrays_are_told_at_once(tmp_path: Path) -> None:
    file = write_npz(tmp_path / "set.npz", images=grown(6), labels=np.zeros(12))
    assert len(problems("npz", file)) == 2


def test_test_images_of_other_channels_are_told(tmp_path: Path) -> None:
    tests = {"test_images": grown(6, 6, 3), "test_labels": np.arange(12) % 2}
    file = write_npz(tmp_path / "set.npz", **tests)
    assert problems("npz", file) == [f"{file}: images have 1 channels and test_images have 3."]


def test_labels_of_the_test_part_outside_the_classes_are_told(tmp_path: Path) -> None:
    tests = {"test_images": grown(6, 6), "test_labels": np.arange(12) % 3}
    (problem,) = problems("npz", write_npz(tmp_path / "set.npz", **tests))
    assert ", test_labels: the label of image 2 is 2, and the 2 classes are 0 to 1." in problem


def test_what_is_no_file_or_no_npz_is_told(tmp_path: Path) -> None:
    assert problems("npz", None)[0].startswith("data=npz needs data.path=FILE.npz")
    assert problems("npz", tmp_path)[0] == f"There is no file {tmp_path}. Give data.path=FILE.npz."
    file = write_npz(tmp_path / "set.npz")
    whole = file.read_bytes()
    for content in (b"", b"text", whole[:-30], whole[:100]):
        file.write_bytes(content)
        assert problems("npz", file)[0].startswith(f"{file} is no npz file, or a truncated one.")


def test_a_damaged_array_is_told(tmp_path: Path) -> None:
    file = write_npz(tmp_path / "set.npz")
    content = bytearray(file.read_bytes())
    content[300] ^= 0xFF
    file.write_bytes(content)
    assert problems("npz", file)[0].startswith(f"{file} cannot be read: Bad CRC-32")


def header(shape: str, descr: str = "|u1") -> bytes:
    """The head of an array file that says whatever it is told to."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text.encode() + b"\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header("(12, 1000000, 1000000)"), "images are 12 x 1000000 x 1000000, and an image has "),
        (header("(10000000000, 6, 6)"), "images says that it is 10000000000 x 6 x 6 of uint8, and"),
        (header("(-12, 6, 6)"), "images says that it is -12 x 6 x 6 of uint8, and has 432 bytes"),
        (header(f"(12, 6, {10**400})"), "images are 12 x 6 x 1000"),
        (header("(12, 6, 6)", "<f8"), "images says that it is 12 x 6 x 6 of float64, and has 432"),
        (header("(12, 6, 6"), ""),
        (header("(12, 6, 6)", "nonsense"), ""),
        (b"\x93NUMPY\x09\x00", ""),
        (b"no array", ""),
    ],
)
def test_arrays_that_are_not_what_they_say_are_told(
    tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "set.npz"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("images.npy", content + bytes(432))
    (problem,) = problems("npz", file)
    assert problem.startswith(f"{file} cannot be read: {message}")


def test_an_archive_larger_than_memory_is_told_before_it_is_read(tmp_path: Path) -> None:
    """A terabyte of zeros, as its directory says."""
    file, count = write_npz(tmp_path / "set.npz"), 10**9
    content = header(f"({count}, 32, 32)")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("images.npy", content)
    # The sizes of 32 bits in the directory give way to those of its ZIP64 field.
    whole, size = file.read_bytes(), len(content) + count * 1024
    start = whole.index(b"PK\x01\x02")
    entry = bytearray(whole[start : start + 46 + len("images.npy")])
    entry[24:28], entry[30:32] = b"\xff" * 4, struct.pack("<H", 12)
    entry += struct.pack("<HHQ", 1, 8, size)
    end = bytearray(whole[whole.index(b"PK\x05\x06") :])
    end[12:16] = struct.pack("<I", len(entry))
    file.write_bytes(whole[:start] + entry + end)
    (problem,) = problems("npz", file)
    assert re.search(r"cannot be read: it needs 953\.7 GiB, and memory has [\d.]+\.$", problem)


def test_members_that_are_no_arrays_are_none(tmp_path: Path) -> None:
    file = tmp_path / "set.npz"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("images", "text")
        archive.writestr("labels", "text")
    assert problems("npz", file)[-1] == "Its arrays: none."


def test_files_with_changed_bytes_are_read_or_told_by_name(tmp_path: Path) -> None:
    rng, whole = np.random.default_rng(0), write_npz(tmp_path / "set.npz").read_bytes()
    for number in range(300):
        content = bytearray(whole)
        for place in rng.integers(0, len(whole), 2):
            content[place] = rng.integers(256)
        file = tmp_path / f"{number}.npz"
        file.write_bytes(content)
        try:
            read("npz", file, 6)
        except DataError as error:
            told = str(error)
            if not told.startswith(str(file)):
                raise
