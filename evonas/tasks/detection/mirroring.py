"""Boxes of images and of their mirror images, read together (test-time flip averaging)."""

from typing import Any

import torch

from evonas.settings import TrainingSettings

SWAPPED = [2, 1, 0, 3]  # left and right of a box


def mirrored_back(boxes: Any, side_px: int) -> Any:
    """Boxes (2 x images, points, 4) of which the second half is of the mirror images, turned back.

    Args:
        boxes: In px, of torch or of NumPy.
    """
    half = len(boxes) // 2
    turned = boxes[:, :, SWAPPED]
    turned[:, :, ::2] = side_px - turned[:, :, ::2]
    turned[:half] = boxes[:half]
    return turned


def together(
    boxes: torch.Tensor, scores: torch.Tensor, recipe: TrainingSettings
) -> tuple[torch.Tensor, torch.Tensor]:
    """With `flip_test`, what was seen in each image and in its mirror image: twice the points.

    Args:
        boxes: (batch, points, 4), of the images and then of their mirror images, turned back.
        scores: (batch, points, classes), likewise.
    """
    if not recipe.flip_test:
        return boxes, scores
    joined = [torch.cat(both.chunk(2), 1) for both in (boxes, scores)]
    return joined[0], joined[1]
