"""The first lines of a search: what its data were read as."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from evonas.data.cache import load_data
from evonas.data.dataset import Dataset, Fault
from evonas.reports.data import data_lines
from evonas.settings import DataSettings, ShapesSettings

DIGITS = DataSettings(subset=200)
SHAPES = DataSettings(name="shapes", shapes=ShapesSettings(images=60, classes=2))


def boxes(data: Dataset, label: int | None = None) -> str:
    """How many boxes each part has."""
    labels = [part.targets[:, :, 0] for part in data.parts]
    counts = [(own >= 0 if label is None else own == label).sum() for own in labels]
    return "/".join(map(str, counts))


def test_images_are_counted_by_part_and_class() -> None:
    data = load_data(DIGITS, 8)
    (line,) = data_lines(DIGITS, data)
    images = "/".join(str(len(part)) for part in data.parts)
    assert line.startswith(
        f"Data digits: 10 classes, {images} images to train, validate and test (from "
    )


def test_boxes_are_counted_where_images_have_several() -> None:
    data = load_data(SHAPES, 16)
    images = "/".join(str(len(part)) for part in data.parts)
    assert list(data_lines(SHAPES, data)) == [
        f"Data shapes: {images} images with {boxes(data)} boxes of 2 classes to train, validate "
        f"and test (circle {boxes(data, 0)}, square {boxes(data, 1)})."
    ]


def test_faults_of_labels_are_counted_in_a_line() -> None:
    data = load_data(SHAPES, 16)
    faults = (Fault("boxes without area left out", 1_200, ("a.txt, line 3",)), Fault("x", 1, ()))
    settings = SHAPES.model_copy(update={"path": Path("DIR")})
    _, line = data_lines(settings, replace(data, faults=faults))
    assert line == (
        "Labels have 1,200 boxes without area left out, 1 x. evonas doctor data=shapes "
        "data.path=DIR says where."
    )


def test_unequal_classes_are_told_by_their_boxes() -> None:
    data = load_data(SHAPES, 16)
    targets = data.train.targets.copy()
    targets[targets[:, :, 0] == 1] = (-1, 0, 0, 0, 0)
    train = replace(data.train, targets=np.tile(targets, (50, 1, 1)), images=data.train.images)
    lines = list(data_lines(SHAPES, replace(data, train=train)))
    assert lines[1].startswith("Classes are unequal: circle has ")
    assert " boxes, square " in lines[1]
