"""Boxes of a picture as it is stored, in the picture as its EXIF data turn it."""

import numpy as np

from evonas.data.box_targets import Boxes

# Orientations (EXIF 2.3, tag 0x0112) whose width is shown as height; of these, those that are
# mirrored from left to right, and from top to bottom, after both are exchanged.
ON_THEIR_SIDES = (5, 6, 7, 8)
LEFT_RIGHT = (6, 7)
TOP_BOTTOM = (7, 8)


def is_on_its_side(orientation: int) -> bool:
    """Whether a picture is stored as wide as it is shown high."""
    return orientation in ON_THEIR_SIDES


def upright(boxes: Boxes, orientation: int, size: tuple[int, int]) -> Boxes:
    """Boxes (boxes, 5) in px of the picture as it is stored, in px of it as it is shown.

    Args:
        orientation: One that exchanges width and height.
        size: Width and height as it is shown.
    """
    width, height = size
    label, top, left, bottom, right = boxes.T
    if orientation in LEFT_RIGHT:
        left, right = width - right, width - left
    if orientation in TOP_BOTTOM:
        top, bottom = height - bottom, height - top
    return np.stack([label, left, top, right, bottom], 1)
