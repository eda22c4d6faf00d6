"""Detection as a task: which targets and outputs are right, and what people are told."""

import numpy as np
import pytest

from evonas.networks.problem import Problem
from evonas.settings import TrainingSettings
from evonas.tasks import TASKS

TASK = TASKS["detection"]
PROBLEM = Problem("detection", 3, ("cat", "dog"), (0.5,) * 3, (0.25,) * 3)
RECIPE = TrainingSettings()


def targets(*rows: list[float]) -> np.ndarray:
    """Of one image; the last row fills up."""
    return np.array([[*rows, [-1, 0, 0, 0, 0]]], np.float32)


def test_boxes_of_known_classes_with_an_area_are_right() -> None:
    assert not [*TASK.wrong(targets([1, 2, 3, 4, 5]), PROBLEM)]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (targets([2, 2, 3, 4, 5]), "Classes of boxes are outside 0..1"),
        (targets([0.5, 2, 3, 4, 5]), "Classes of boxes are outside 0..1"),
        (targets([1, 4, 3, 2, 5]), "Boxes have no area"),
        (targets([1, 2, 3, np.nan, 5]), "Boxes have no area"),
        (targets([1, 2, 3, 4, 5]).astype(np.int64), "boxes are float32"),
        (targets([1, 2, 3, 4, 5])[0], "boxes are float32"),
    ],
)
def test_other_targets_are_told_in_words(wrong: np.ndarray, told: str) -> None:
    (message,) = TASK.wrong(wrong, PROBLEM)
    assert told in message


def test_boxes_are_counted_by_class() -> None:
    counts = TASK.counts(targets([1, 2, 3, 4, 5], [1, 0, 0, 4, 5]), PROBLEM)
    assert counts.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("shapes", "is_right"),
    [
        ([(1, 9, 4), (1, 9, 2)], True),
        ([(1, 9, 4), (1, 9, 2), (1, 9, 32), (1, 9, 4)], True),
        ([(1, 9, 4), (1, 9, 3)], False),
        ([(1, 9, 4), (1, 8, 2)], False),
        ([(1, 2)], False),
    ],
)
def test_outputs_have_to_fit_the_classes(shapes: list[tuple[int, ...]], is_right: bool) -> None:
    assert (TASK.right_shapes(shapes, PROBLEM) is None) == is_right


def test_nothing_is_suppressed_of_a_network_that_says_each_thing_once() -> None:
    many = ("boxes", "logits", "distances", "priors")
    once = (*many, "boxes_many", "logits_many", "distances_many")
    assert TASK.fitted(RECIPE, many).nms == "nms"
    assert TASK.fitted(RECIPE, once).nms == "none"


def test_a_prediction_is_told_in_short_and_in_rows() -> None:
    corners = {"x1": 1.0, "y1": 2.0, "x2": 3.0, "y2": 4.0}
    boxes = [
        {"class": name, "score": score, **corners} for name, score in (("dog", 0.9), ("cat", 0.4))
    ]
    prediction = {"boxes": [*boxes, boxes[0]]}
    assert TASK.told(prediction) == {"found": "2 dog, 1 cat", "surest": 0.9}
    assert TASK.told({"boxes": []}) == {"found": "nothing", "surest": 0.0}
    assert TASK.rows(prediction)[1] == boxes[1]


def test_a_card_says_how_the_network_is_used() -> None:
    names, call = TASK.usage(RECIPE.model_copy(update={"nms": "soft"}))
    assert names == "detect, "
    assert 'detect(network, images, nms="soft"' in call
