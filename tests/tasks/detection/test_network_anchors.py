"""Anchors of a network: set before a training, and read after it."""

import numpy as np
import pytest
from detectors import detector, plan

from evonas.errors import SettingsError
from evonas.models import Network
from evonas.settings import TrainingSettings
from evonas.tasks import TASKS

TASK = TASKS["detection"]
RECIPE = TrainingSettings()
OTHERS = ((4.0, 5.0), (6.0, 7.0), (8.0, 9.0), (10.0, 11.0))


def network(**head: object) -> Network:
    """Of two levels."""
    return Network(plan(detector(head={"kind": "yolov3", "anchors": 2, **head})))


def targets(*sizes: tuple[float, float]) -> np.ndarray:
    rows = [[0, 1, 1, 1 + width, 1 + height] for width, height in sizes]
    return np.array([[*rows, [-1, 0, 0, 0, 0]]], np.float32)


def test_they_fit_the_boxes_of_a_training() -> None:
    own = network()
    TASK.adapt(own, targets((8, 9), (2, 3), (4, 5), (6, 7)), RECIPE)
    adapted = TASK.adapted(RECIPE, own)
    assert adapted.anchors == ((2, 3), (4, 5), (6, 7), (8, 9))
    (anchors,) = (tensor for name, tensor in own.named_buffers() if name.endswith("anchors"))
    assert anchors.tolist() == [[[2, 3], [4, 5]], [[6, 7], [8, 9]]]  # the finest level first


def test_those_of_the_recipe_are_taken_as_they_are() -> None:
    own = network()
    recipe = TrainingSettings(anchors=OTHERS)
    TASK.adapt(own, targets((2, 3)), recipe)
    assert TASK.adapted(RECIPE, own).anchors == OTHERS
    again = network()
    TASK.adapt(again, targets((9, 9)), TASK.adapted(RECIPE, own))
    assert TASK.adapted(RECIPE, again).anchors == OTHERS


def test_without_boxes_a_network_keeps_those_that_it_was_built_with() -> None:
    published = [[3, 4], [5, 6], [7, 8], [9, 10]]
    own = network(anchor_sizes=published)
    TASK.adapt(own, targets(), RECIPE)
    assert TASK.adapted(RECIPE, own).anchors == tuple(map(tuple, published))


def test_the_recipe_has_as_many_as_the_network() -> None:
    with pytest.raises(SettingsError, match="has 3 anchors, and the head has 4: 2 for each of 2"):
        TASK.adapt(network(), targets((2, 3)), TrainingSettings(anchors=OTHERS[:3]))


def test_networks_without_anchors_have_nothing_to_set() -> None:
    own = Network(plan(detector()))
    TASK.adapt(own, targets((2, 3)), RECIPE)
    assert TASK.adapted(RECIPE, own) is RECIPE


def test_anchors_grow_with_the_image() -> None:
    assert TASK.enlarged(TrainingSettings(anchors=OTHERS), 2).anchors == tuple(
        (2 * width, 2 * height) for width, height in OTHERS
    )
    assert TASK.enlarged(RECIPE, 2) is RECIPE


def test_people_are_told_what_fits_their_boxes() -> None:
    ((name, told),) = TASK.findings(targets((8, 9), (2, 3)), RECIPE)
    assert name == "anchors"
    assert told.startswith("9 that fit the training boxes: 2 x 3, ")
    assert told.endswith("mean best IoU 1.00")
    ((_, told),) = TASK.findings(targets((4, 5)), TrainingSettings(anchors=OTHERS[:1]))
    assert told == "of the recipe: 4 x 5 px; mean best IoU 1.00"
    assert [*TASK.findings(targets(), RECIPE)] == []
