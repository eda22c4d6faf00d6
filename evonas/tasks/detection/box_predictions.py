"""Boxes of a picture, in its own pixels."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from evonas.data.frame import Frame
from evonas.settings import TrainingSettings
from evonas.tasks.detection.mirroring import together
from evonas.tasks.detection.suppression import found


def boxes_of_pictures(
    outputs: Sequence[NDArray[Any]],
    frames: Sequence[Frame],
    side_px: int,
    classes: Sequence[str],
    recipe: TrainingSettings,
) -> list[dict[str, Any]]:
    """The boxes of each picture that the recipe's suppression leaves and its confidence tells.

    Args:
        outputs: Boxes (batch, points, 4) in px of the network's square, and scores
            (batch, points, classes); with `flip_test` a batch is twice the pictures.
        side_px: The side of that square.
    """
    boxes, scores = (torch.from_numpy(np.ascontiguousarray(output)) for output in outputs[:2])
    boxes, scores = together(boxes, scores, recipe)
    own = found(boxes, scores, recipe.nms, recipe.nms_iou, max(recipe.confidence, 1e-6))
    columns = (own.boxes, own.scores, own.classes)
    pictures = zip(frames, *(column.tolist() for column in columns), strict=True)
    return [
        {
            "boxes": [
                {
                    "class": classes[number],
                    "score": score,
                    **_corners(box, frame, side_px),
                }
                for box, score, number in zip(*found_there, strict=True)
                if score > 0
            ]
        }
        for frame, *found_there in pictures
    ]


def _corners(box: Sequence[float], frame: Frame, side_px: int) -> Mapping[str, float]:
    """In px of the picture, and not beyond it: a letterbox has room beside it."""
    scale = frame.side / side_px
    corners = zip(
        ("x1", "y1", "x2", "y2"), (frame.left, frame.top) * 2, frame.size * 2, box, strict=True
    )
    return {
        name: min(max(start + scale * value, 0.0), float(length))
        for name, start, length, value in corners
    }
