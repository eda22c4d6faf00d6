"""Outputs of heads with anchors, as networks give them in a training."""

import torch

from evonas.models.detection.anchored import AnchorBoxes, AnchorPriors
from evonas.tasks.task import Outputs

STRIDE, SIDE = 8, 32
ANCHORS = [[8.0, 8.0], [8.0, 16.0]]
CLASSES = 3


def priors() -> torch.Tensor:
    """Of 4 x 4 cells and two anchors: (1, 32, 5)."""
    rows: torch.Tensor = AnchorPriors([STRIDE], [ANCHORS])(torch.empty(1, 1, 4, 4))
    return rows


def outputs(
    offsets: torch.Tensor, objectness: torch.Tensor, logits: torch.Tensor, *more: float
) -> Outputs:
    """Of raw numbers (batch, 32, 4), (batch, 32, 1) and (batch, 32, classes)."""
    boxes = AnchorBoxes([1.0], [STRIDE])(offsets, priors())
    settling = [torch.tensor([each]) for each in more]
    return boxes, logits, objectness, offsets, priors(), *settling


def point(column: int, row: int, anchor: int) -> int:
    """The number of a point."""
    return 2 * (4 * row + column) + anchor


def still(images: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Raw numbers of 0: anchors in the middle of cells, all as likely as not."""
    sizes = (4, 1, CLASSES)
    offsets, objectness, logits = (
        torch.zeros(images, 32, size, requires_grad=True) for size in sizes
    )
    return offsets, objectness, logits


def target(*boxes: list[float]) -> torch.Tensor:
    """Of one image."""
    return torch.tensor([[*boxes]])
