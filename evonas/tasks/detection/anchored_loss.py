"""What a training of YOLOv3's and YOLOv4's heads makes small: objectness, class and box."""

import torch

from evonas.settings import TrainingSettings
from evonas.tasks.detection.anchors import AnchorPoints, Learnt, learnt, overlaps
from evonas.tasks.detection.class_losses import CLASS_LOSSES, bce
from evonas.tasks.detection.labels import Labels
from evonas.tasks.detection.overlap import OVERLAPS
from evonas.tasks.detection.terms import Terms
from evonas.tasks.task import Outputs

TINY = torch.finfo(torch.float32).tiny


def anchored_terms(outputs: Outputs, labels: Labels, recipe: TrainingSettings) -> list[Terms]:
    """Sums over the points that learn a box, and of objectness over those that are not ignored.

    A point is ignored if it learns nothing, and its box overlaps more than `ignore_iou` with one
    (YOLOv3, arXiv 1804.02767, section 2.1).
    """
    points = AnchorPoints.of(outputs)
    pairs = learnt(labels, points, recipe.anchor_iou)
    weights = labels.weights[pairs.label]
    there = torch.zeros_like(points.objectness)
    there[pairs.image, pairs.point] = weights.to(there.dtype)
    counts = ~overlaps(labels, points, recipe.ignore_iou)
    counts[pairs.image, pairs.point] = True
    said = points.boxes[pairs.image, pairs.point]
    agreed = OVERLAPS[recipe.box_loss](said, labels.boxes[pairs.label])
    classes = _class_losses(points, labels, pairs, recipe)
    sums = {
        "cls": (classes * weights).sum(),
        "box": ((1 - agreed) * weights).sum(),
        "obj": (bce(points.objectness, there) * counts).sum(),
    }
    return [Terms(sums, weights.sum())]


def _class_losses(
    points: AnchorPoints, labels: Labels, pairs: Learnt, recipe: TrainingSettings
) -> torch.Tensor:
    """The sum over the classes, each by itself, (pairs,)."""
    logits = points.logits[pairs.image, pairs.point]
    targets = torch.full_like(logits, recipe.label_smoothing / logits.shape[1])
    rows = torch.arange(len(logits), device=logits.device)
    targets[rows, labels.classes[pairs.label]] += 1 - recipe.label_smoothing
    return CLASS_LOSSES[recipe.class_loss](logits, targets).sum(1)


def anchors_imitated(
    outputs: Outputs, taught: Outputs, temperature: float, recipe: TrainingSettings
) -> torch.Tensor:
    """Objectness and classes of all points, by the recipe's gains.

    Classes count as much as the teacher is sure that something is there, and the loss is the mean
    over that (see `imitation.branches_imitated`).
    """
    return _imitated(outputs, taught, temperature, recipe, exclusive=False)


def exclusive_anchors_imitated(
    outputs: Outputs, taught: Outputs, temperature: float, recipe: TrainingSettings
) -> torch.Tensor:
    """The same where classes exclude each other."""
    return _imitated(outputs, taught, temperature, recipe, exclusive=True)


def _imitated(
    outputs: Outputs,
    taught: Outputs,
    temperature: float,
    recipe: TrainingSettings,
    exclusive: bool,
) -> torch.Tensor:
    own, other = AnchorPoints.of(outputs), AnchorPoints.of(taught)
    sure = other.objectness.sigmoid()
    divergence = _of_exclusive if exclusive else _of_each
    classes = divergence(own.logits / temperature, other.logits / temperature).sum(2)
    there = _of_each(own.objectness / temperature, other.objectness / temperature)
    each = recipe.cls * sure * classes + recipe.obj * there
    return temperature**2 * each.sum() / sure.sum().clamp(min=TINY)


def _of_each(logits: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
    """KL divergence of each probability by itself, of the same shape."""
    wanted = taught.sigmoid()
    return bce(logits, wanted) - bce(taught, wanted)


def _of_exclusive(logits: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
    """KL divergence of classes of which one is true, of the same shape: its sum is meant."""
    own, wanted = logits.log_softmax(2), taught.log_softmax(2)
    return wanted.exp() * (wanted - own)
