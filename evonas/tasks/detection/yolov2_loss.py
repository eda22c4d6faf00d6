"""What a training of YOLOv2's head makes small: squares of errors, each part with its weight."""

import torch
from torch.nn import functional

from evonas.settings import TrainingSettings
from evonas.tasks.detection.anchors import AnchorPoints, Learnt, learnt, overlaps
from evonas.tasks.detection.labels import Labels
from evonas.tasks.detection.overlap import iou
from evonas.tasks.detection.terms import Terms
from evonas.tasks.task import Outputs

SETTLING = 5  # the output behind those of every anchored head
IGNORED = 0.6  # IoU with any box from which a point without one is not told that there is none
MATCHED, SURE = 0.5, 0.3  # IoU and objectness of a box that is seen


def yolov2_terms(outputs: Outputs, labels: Labels, recipe: TrainingSettings) -> list[Terms]:
    """Half the mean square of box errors, in strides; the same of objectness; cross-entropy.

    Objectness is to be the IoU of the predicted box with the true one. While the training settles,
    points without a box learn the middle of their cell and the size of their anchor, so that all
    begin alike (Darknet's region layer; YOLOv2, arXiv 1612.08242). Each part is a mean over the
    points that count in it.
    """
    points, is_settling = AnchorPoints.of(outputs), outputs[SETTLING]
    pairs = learnt(labels, points)
    there = _at_points(points, pairs, labels.weights[pairs.label])
    return [
        _box_terms(points, labels, pairs, there, is_settling, recipe),
        _objectness_terms(points, labels, pairs, there),
        _class_terms(points, labels, pairs, recipe),
    ]


def _at_points(points: AnchorPoints, pairs: Learnt, values: torch.Tensor) -> torch.Tensor:
    """Values of pairs at their points, (batch, points); 0 elsewhere."""
    rows = torch.zeros_like(points.objectness)
    rows[pairs.image, pairs.point] = values.to(rows.dtype)
    return rows


def _box_terms(
    points: AnchorPoints,
    labels: Labels,
    pairs: Learnt,
    there: torch.Tensor,
    is_settling: torch.Tensor,
    recipe: TrainingSettings,
) -> Terms:
    counts = torch.maximum(there, is_settling)
    half = points.anchors / 2
    idle = torch.cat([points.centres - half, points.centres + half], 1)
    wanted = idle.expand_as(points.boxes).clone()
    wanted[pairs.image, pairs.point] = labels.boxes[pairs.label].to(wanted.dtype)
    errors = box_errors(points.boxes, wanted, points.strides, recipe.root_sizes)
    return Terms({"coord_scale": (errors * counts).sum() / 2}, (counts > 0).sum())


def box_errors(
    boxes: torch.Tensor, wanted: torch.Tensor, strides: torch.Tensor, root_sizes: bool = False
) -> torch.Tensor:
    """Squares of the errors of centre and size, in strides, added: (batch, points).

    Args:
        root_sizes: Of the roots of sizes, so that small boxes count as large ones of the same
            relative error (YOLOv1, arXiv 1506.02640, equation 3).
    """
    (middle, size), (wanted_middle, wanted_size) = (
        ((each[..., :2] + each[..., 2:]) / 2, each[..., 2:] - each[..., :2])
        for each in (boxes / strides[:, None], wanted / strides[:, None])
    )
    return squares(middle, wanted_middle) + squares(size, wanted_size, root_sizes)


def squares(values: torch.Tensor, wanted: torch.Tensor, of_roots: bool = False) -> torch.Tensor:
    """The sum of the squares of the errors along the last axis.

    >>> squares(torch.tensor([4.0, 1.0]), torch.tensor([1.0, 1.0]))
    tensor(9.)
    >>> squares(torch.tensor([4.0, 1.0]), torch.tensor([1.0, 1.0]), of_roots=True)
    tensor(1.)
    """
    if of_roots:
        values, wanted = values.sqrt(), wanted.sqrt()
    return (values - wanted).square().sum(-1)


def _objectness_terms(
    points: AnchorPoints, labels: Labels, pairs: Learnt, there: torch.Tensor
) -> Terms:
    agreed = _agreed(points, labels, pairs)
    said = points.objectness.sigmoid()
    right = (said - _at_points(points, pairs, agreed)).square() * there
    is_learnt = _at_points(points, pairs, torch.ones_like(agreed)) > 0
    is_empty = ~overlaps(labels, points, IGNORED) & ~is_learnt
    sums = {
        "object_scale": right.sum() / 2,
        "noobject_scale": (said.square() * is_empty).sum() / 2,
    }
    return Terms(sums, (is_empty | (there > 0)).sum())


@torch.no_grad()
def _agreed(points: AnchorPoints, labels: Labels, pairs: Learnt) -> torch.Tensor:
    """IoU of the box that each point says with the one that it learns, (pairs,)."""
    return iou(points.boxes[pairs.image, pairs.point], labels.boxes[pairs.label])


def _class_terms(
    points: AnchorPoints, labels: Labels, pairs: Learnt, recipe: TrainingSettings
) -> Terms:
    losses = functional.cross_entropy(
        points.logits[pairs.image, pairs.point],
        labels.classes[pairs.label],
        reduction="none",
        label_smoothing=recipe.label_smoothing,
    )
    weights = labels.weights[pairs.label]
    return Terms({"class_scale": (losses * weights).sum()}, (weights > 0).sum())


@torch.no_grad()
def running_recall(outputs: Outputs, labels: Labels) -> torch.Tensor:
    """How many boxes the points that learn them see, and of how many, (2,).

    They see a box if the IoU is above .5 and the objectness above .3.
    """
    points = AnchorPoints.of(outputs)
    pairs = learnt(labels, points)
    objectness = points.objectness[pairs.image, pairs.point].sigmoid()
    is_seen = (_agreed(points, labels, pairs) > MATCHED) & (objectness > SURE)
    return torch.stack([is_seen.sum(), is_seen.new_tensor(len(labels), dtype=torch.int64)])
