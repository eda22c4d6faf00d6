"""What is drawn of a retraining follows from training.json alone."""

from typing import Any
from xml.etree import ElementTree

import pytest

from evonas.exporters.file_names import CONFUSION, CURVES, PRECISION_RECALL
from evonas.reports.training_pictures import MOST_CLASSES, confusion_matrix, pictures

SHORT: dict[str, Any] = {
    "epochs": 2,
    "curve": [2.0, 1.0],
    "learning_rates": [[0, 0.0], [1, 0.1], [2, 0.0]],
}
TABLE = [{"class": "cat", "images": 10}, {"class": "dog", "images": 8}]


def told(picture: bytes) -> set[str | None]:
    return {element.text for element in ElementTree.fromstring(picture).iter()}


def test_what_is_not_there_is_not_drawn() -> None:
    assert pictures({}) == {}
    assert pictures(SHORT).keys() == {CURVES}
    assert "validation" not in told(pictures(SHORT)[CURVES])
    assert pictures({"test_precisions": {}}) == {}


def test_the_epoch_that_is_kept_is_marked() -> None:
    more = {"validation_curve": [2.1, 1.9], "validation_scores": {"accuracy": [0.3, 0.6]}}
    drawn = told(pictures({**SHORT, **more, "best_epoch": 2})[CURVES])
    assert {"validation", "validation accuracy", "kept: epoch 2", "learning rate"} <= drawn


def test_a_confusion_matrix_follows_from_images_and_mistakes() -> None:
    names, counts = confusion_matrix(TABLE, {"cat": {"dog": 3}})
    assert (names, counts) == (["cat", "dog"], [[7, 3], [0, 8]])
    drawn = pictures({"test_table": TABLE, "test_mistakes": {"cat": {"dog": 3}}})
    assert {"cat", "dog", "7", "3", "8"} <= told(drawn[CONFUSION])


def test_of_many_classes_those_with_most_mistakes_are_shown_and_none_is_lost() -> None:
    table = [{"class": f"class {n}", "images": 10} for n in range(MOST_CLASSES + 20)]
    wrong = {f"class {n}": {"class 3": 2, "class 59": 1} for n in range(10, 20)}
    drawn = told(pictures({"test_table": table, "test_mistakes": wrong})[CONFUSION])
    assert {"all others", "class 10", "class 19"} <= drawn
    assert "class 59" not in drawn
    assert "all others, all others: 200 (100 %)" in drawn


@pytest.mark.parametrize(("classes", "is_named"), [(2, True), (30, False)])
def test_few_classes_of_a_detector_are_named_and_many_are_one_mean(
    classes: int, is_named: bool
) -> None:
    curves = {f"class {n}": [1.0] * 50 + [0.0] * 51 for n in range(classes)}
    picture = pictures({"test_precisions": curves})[PRECISION_RECALL]
    drawn = [element.text for element in ElementTree.fromstring(picture).iter()]
    assert {"class 1", "mean", "recall"} <= {*drawn}
    assert drawn.count("class 1") == 1 + is_named  # in the legend, and where a pointer rests
