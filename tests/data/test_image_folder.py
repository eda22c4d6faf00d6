import os
from pathlib import Path

import numpy as np
import pytest
from conftest import problems_of
from PIL import Image

from evonas.data import image_folder as folder_reader
from evonas.data.dataset import Source
from evonas.data.image import image_to_array
from evonas.settings import DataSettings

Colour = int | tuple[int, int, int]


def paint(file: Path, colour: Colour, size: tuple[int, int] = (6, 6)) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L" if isinstance(colour, int) else "RGB", size, colour).save(file)


def paint_class(folder: Path, colour: Colour, images: int = 3) -> None:
    for index in range(images):
        paint(folder / f"{index}.png", colour)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of grey images."""
    paint_class(tmp_path / "bright", 200)
    paint_class(tmp_path / "dark", 10, images=4)
    return tmp_path


def read_folder(folder: Path | None, resolution_px: int) -> Source:
    return folder_reader.read_folder(DataSettings(name="folder", path=folder), resolution_px)


def problems(folder: Path | None) -> list[str]:
    return problems_of(read_folder, folder, 4)


def test_a_flat_folder_has_a_class_a_folder_and_no_test_part(folder: Path) -> None:
    (folder / ".hidden").mkdir()
    (folder / "notes.txt").write_text("not a class")
    source = read_folder(folder, 4)
    assert source.classes == ("bright", "dark")
    assert source.development.images.shape == (7, 1, 4, 4)
    assert source.test is None
    assert source.development.targets.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert source.development.images[:, 0, 0, 0].tolist() == [200] * 3 + [10] * 4


@pytest.mark.parametrize("place", ["bright/9.png", "dark/deep/0.png", "dark/9.gif"])
def test_any_image_in_colour_gives_all_three_channels(folder: Path, place: str) -> None:
    paint(folder / place, (255, 0, 0))
    images = read_folder(folder, 4).development.images
    assert images.shape == (8, 3, 4, 4)
    colours = {tuple(colour) for colour in images[:, :, 0, 0].tolist()}
    assert colours == {(10, 10, 10), (200, 200, 200), (255, 0, 0)}


def test_colour_of_the_test_part_counts(tmp_path: Path) -> None:
    for name in ("train/a", "train/b", "test/a"):
        paint_class(tmp_path / name, 5)
    paint_class(tmp_path / "test" / "b", (0, 0, 255))
    source = read_folder(tmp_path, 4)
    assert source.development.images.shape[1] == 3
    assert source.test is not None
    assert source.test.images[-1, :, 0, 0].tolist() == [0, 0, 255]


def test_a_bomb_and_a_pipe_are_named_with_all_others(folder: Path) -> None:
    os.mkfifo(folder / "bright" / "0.bmp")
    Image.new("1", (10_000, 10_000)).save(folder / "dark" / "00.png")
    assert problems(folder) == [
        f"{folder}/bright/0.bmp is no image that can be read: it is a pipe.",
        f"{folder}/dark/00.png is no image that can be read: it has more than 89,478,485 pixels, "
        "make it smaller.",
        "Leave damaged images out by data.skip_damaged=true.",
    ]


def test_an_image_is_cut_to_its_central_square() -> None:
    stripes = np.zeros((4, 12), np.uint8)
    stripes[:, 4:8] = 255
    assert (image_to_array(Image.fromarray(stripes), 2, channels=1) == 255).all()
    assert (image_to_array(Image.fromarray(stripes.T.copy()), 2, channels=1) == 255).all()


def test_no_path_and_no_folder_are_told_with_the_setting(tmp_path: Path) -> None:
    assert problems(None) == [
        "data=folder needs data.path=DIR, a folder with one folder of images a class."
    ]
    (problem,) = problems(tmp_path / "nowhere")
    assert problem.startswith(f"There is no folder {tmp_path / 'nowhere'}. Give data.path=DIR")


@pytest.mark.parametrize("classes", [0, 1])
def test_fewer_than_two_classes_are_no_classification(tmp_path: Path, classes: int) -> None:
    for index in range(classes):
        paint_class(tmp_path / str(index), 9)
    (problem,) = problems(tmp_path)
    assert problem.startswith(f"{tmp_path} has {classes} folders of classes")


def test_a_class_without_enough_images_is_named(folder: Path) -> None:
    (folder / "empty").mkdir()
    paint_class(folder / "few", 1, images=2)
    assert problems(folder) == [
        f"{folder / 'empty'} has 0 images, and a class needs 3 or more.",
        f"{folder / 'few'} has 2 images, and a class needs 3 or more.",
    ]
