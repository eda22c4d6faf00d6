"""What heads with anchors say at their points, and which of them learn which box."""

from dataclasses import dataclass

import torch

from evonas.tasks.detection.assigners import place
from evonas.tasks.detection.labels import Labels
from evonas.tasks.detection.overlap import iou
from evonas.tasks.task import Outputs

INSIDE = 1e-3  # px, by which a centre at the far side of an image is still in its last cell


@dataclass(frozen=True)
class AnchorPoints:
    """What a head with anchors says, and where.

    `boxes` (batch, points, 4) in px, `logits` (batch, points, classes), `objectness` (batch,
    points), a logit; `centres` of cells and `anchors` (points, 2) and `strides` (points,), in px.
    """

    boxes: torch.Tensor
    logits: torch.Tensor
    objectness: torch.Tensor
    centres: torch.Tensor
    anchors: torch.Tensor
    strides: torch.Tensor

    @classmethod
    def of(cls, outputs: Outputs) -> "AnchorPoints":
        """Those of outputs in a training."""
        boxes, logits, objectness, _, priors = outputs[:5]
        own = priors[0]
        return cls(boxes, logits, objectness[:, :, 0], own[:, :2], own[:, 2:4], own[:, 4])


@dataclass(frozen=True)
class Learnt:
    """Pairs of a box and the point that learns it: numbers, int64 (pairs,); no point twice."""

    image: torch.Tensor
    label: torch.Tensor
    point: torch.Tensor


@torch.no_grad()
def learnt(labels: Labels, points: AnchorPoints, enough: float | None = None) -> Learnt:
    """For each box the point of its cell with the anchor of its shape, of all levels the best.

    Shapes agree by the IoU of boxes in one corner (YOLOv3, arXiv 1804.02767, section 2.1). A point
    that several boxes claim learns that whose shape fits best.

    Args:
        enough: Of its cells, anchors whose IoU is above it learn a box as well (YOLOv4, arXiv
            2004.10934, section 3.4: several anchors for one box).
    """
    middles, sizes = (
        (labels.boxes[:, :2] + labels.boxes[:, 2:]) / 2,
        labels.boxes[:, 2:] - labels.boxes[:, :2],
    )
    half = points.strides[:, None] / 2
    far = (points.centres + half).amax(0)
    away = torch.minimum(middles.clamp(min=0), far - INSIDE)[:, None] - points.centres
    is_in_cell = ((away >= -half) & (away < half)).all(2)
    fits = shape_overlap(sizes[:, None], points.anchors) * is_in_cell
    best = torch.zeros_like(is_in_cell).scatter_(1, fits.argmax(1, keepdim=True), value=True)
    label, point = (best if enough is None else best | (fits > enough)).nonzero(as_tuple=True)
    image = labels.image[label]
    sole = place(image * len(points.strides) + point, fits[label, point]) == 0
    return Learnt(image[sole], label[sole], point[sole])


@torch.no_grad()
def overlaps(labels: Labels, points: AnchorPoints, threshold: float) -> torch.Tensor:
    """Whether the box of each point overlaps more than that with one of its image's labels.

    (batch, points).
    """
    above = iou(points.boxes[labels.image], labels.boxes[:, None]) > threshold
    counts = torch.zeros_like(points.objectness, dtype=torch.float32)
    return counts.index_add_(0, labels.image, above.float()) > 0


def shape_overlap(sizes: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """IoU of boxes in one corner: of widths and heights (..., 2), whose leading axes broadcast.

    >>> shape_overlap(torch.tensor([2.0, 2]), torch.tensor([4.0, 1]))
    tensor(0.3333)
    """
    common = torch.minimum(sizes, others).prod(-1)
    return common / (sizes.prod(-1) + others.prod(-1) - common)
