"""Boxes of one picture as a training can use them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from evonas.data.box_targets import Boxes
from evonas.data.detection.faults import Faults
from evonas.data.detection.label_records import Labelled, LabelledBox

ROUNDING = 1.0  # px beyond the edge that are no fault: formats count and round differently
THINNEST = 0.01  # px of a box with an area, which it keeps where it is scaled and rounded
SAME_SHAPE = 0.02  # relative difference of two aspect ratios that rounding explains


def clean_boxes(
    labelled: Labelled, size: tuple[int, int], numbers: Mapping[str, int], faults: Faults
) -> Boxes:
    """The boxes (boxes, 5) in px of a picture of this width and height, none beyond its edges.

    Notes what is cut or left out.

    Args:
        numbers: Of the classes.
    """
    rows = [(numbers[name], *corners) for name, *corners in _rows(labelled, size, faults)]
    return np.array(rows, np.float32).reshape(-1, 5)


def other_shape(labelled: Labelled, size: tuple[int, int]) -> str | None:
    """What the labels say of the picture's size, if that is of another shape than the picture."""
    if labelled.size is None:
        return None
    told, true = labelled.size[0] * size[1], labelled.size[1] * size[0]
    if abs(told - true) <= SAME_SHAPE * true:
        return None
    image, wrong = (f"{width} x {height}" for width, height in (size, labelled.size))
    return f"{labelled.labels}: {labelled.image.name} is {image}, not {wrong}."


def _rows(labelled: Labelled, size: tuple[int, int], faults: Faults) -> Iterator[tuple[Any, ...]]:
    """Name of the class and corners of each box."""
    seen = set()
    for box in labelled.boxes:
        corners, place = _in_px(box, labelled, size), place_of(labelled, box)
        cut = [min(max(value, 0.0), edge) for value, edge in zip(corners, size * 2, strict=True)]
        if not _has_area(corners):
            faults.note("no_area", place)
        elif not _has_area(cut):
            faults.note("outside", place)
        elif (row := (box.name, *cut)) in seen:
            faults.note("twice", place)
        else:
            seen.add(row)
            if max(abs(a - b) for a, b in zip(corners, cut, strict=True)) > ROUNDING:
                faults.note("cut", place)
            yield row


def _has_area(corners: Sequence[float]) -> bool:
    left, top, right, bottom = corners
    return min(right - left, bottom - top) >= THINNEST


def _in_px(box: LabelledBox, labelled: Labelled, size: tuple[int, int]) -> tuple[float, ...]:
    """The corners in px of the picture, also where it was made larger or smaller since."""
    told = (1, 1) if labelled.in_shares else labelled.size or size
    scale = (size[0] / told[0], size[1] / told[1]) * 2
    return tuple(
        value * own for value, own in zip((box.x1, box.y1, box.x2, box.y2), scale, strict=True)
    )


def place_of(labelled: Labelled, box: LabelledBox) -> str:
    """File and place of a box, with its image where that has another name."""
    file = labelled.labels or labelled.image
    image = "" if file.stem == labelled.image.stem else f" ({labelled.image.name})"
    return f"{file}, {box.place}{image}"
