"""What a detector says of pictures: boxes in their own pixels."""

import json

import numpy as np
import pytest

from evonas.data.frame import frame_of
from evonas.networks.problem import Problem
from evonas.settings import TrainingSettings
from evonas.tasks import TASKS

PROBLEM = Problem("detection", 3, ("cat", "dog"), (0.0,) * 3, (1.0,) * 3)
SIDE = 64
BOXES = np.array([[[16, 24, 48, 40], [17, 24, 48, 40], [0, 0, 8, 64]]], np.float32)
SCORES = np.array([[[0.9, 0.1], [0.8, 0.2], [0.1, 0.6]]], np.float32)


def boxes(size: tuple[int, int] = (SIDE, SIDE), **words: object) -> list[dict[str, object]]:
    recipe = TrainingSettings.model_validate(words)
    frames = [frame_of(size, "letterbox")]
    (found,) = TASKS["detection"].predictions([BOXES, SCORES], frames, SIDE, PROBLEM, recipe)
    json.dumps(found, allow_nan=False)
    return TASKS["detection"].rows(found)


def test_boxes_of_one_thing_are_one_and_the_best_comes_first() -> None:
    first, second = boxes()
    assert (first["class"], first["score"]) == ("cat", pytest.approx(0.9))
    assert [first[key] for key in ("x1", "y1", "x2", "y2")] == [16, 24, 48, 40]
    assert (second["class"], second["score"]) == ("dog", pytest.approx(0.6))


def test_the_recipe_says_how_sure_a_box_is_to_be_and_what_becomes_of_its_neighbours() -> None:
    assert [box["class"] for box in boxes(confidence=0.7)] == ["cat"]
    assert boxes(confidence=0.95) == []
    assert len(boxes(nms="none")) == 3
    assert len(boxes(nms_iou=0.99)) == 3


def test_boxes_are_in_pixels_of_the_picture_and_end_where_it_does() -> None:
    # A picture of 256 x 128 px: its square has bars of 64 px above and below, and 4 px a pixel.
    first, second = boxes((256, 128))
    assert [first[key] for key in ("x1", "y1", "x2", "y2")] == [64, 32, 192, 96]
    assert [second[key] for key in ("x1", "y1", "x2", "y2")] == [0, 0, 32, 128]


def test_rows_have_a_column_for_each_value() -> None:
    assert [*boxes()[0]] == ["class", "score", "x1", "y1", "x2", "y2"]
