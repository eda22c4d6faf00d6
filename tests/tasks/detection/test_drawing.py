"""Boxes drawn into pictures: where they are, and in which colour."""

import numpy as np
import pytest
from PIL import Image, ImageColor

from evonas.tasks.detection.drawing import COLOURS, SMALLEST_PX, draw_boxes, example_sheet

CLASSES = ("circle", "square")
BOX = {"class": "square", "score": 0.5, "x1": 20.0, "y1": 30.0, "x2": 60.0, "y2": 80.0}


def extent(picture: Image.Image, colour: str) -> tuple[int, int, int, int]:
    """From where to where there are pixels of the colour: left, top, right, bottom."""
    rows, columns = np.nonzero((np.asarray(picture) == ImageColor.getrgb(colour)).all(2))
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


def test_a_box_is_drawn_where_it_is_in_the_colour_of_its_class() -> None:
    picture = Image.new("L", (100, 100), 128)
    drawn = draw_boxes(picture, [{**BOX, "score": None}], CLASSES)
    assert extent(drawn, COLOURS[1]) == (20, 30, 60, 80)
    assert picture.getpixel((20, 30)) == 128, "the picture itself stays as it was"


@pytest.mark.parametrize("corner", [(-9, -9), (90, 90)])
def test_a_label_of_a_box_at_the_edge_stays_in_the_picture(corner: tuple[int, int]) -> None:
    x, y = corner
    box = {**BOX, "x1": x, "y1": y, "x2": x + 20, "y2": y + 20}
    drawn = draw_boxes(Image.new("RGB", (100, 100)), [box], CLASSES)
    left, top, right, bottom = extent(drawn, COLOURS[1])
    assert right - left > 40, "the whole label can be read"
    assert left >= 0
    assert bottom - top > 8


def test_examples_stand_beside_each_other_with_labels_in_white() -> None:
    images = np.zeros((2, 3, 60, 60), np.uint8)
    targets = np.full((2, 8, 5), -1, np.float32)
    targets[0, 0] = [1, 10, 20, 30, 40]
    sheet = example_sheet(images, targets, [[], [{**BOX, "y2": 50.0}]], CLASSES)
    assert sheet.height == SMALLEST_PX
    assert sheet.width > 2 * sheet.height
    first = sheet.crop((0, 0, sheet.height, sheet.height))
    assert extent(first, "#FFFFFF") == (40, 80, 120, 160)  # four times as large
