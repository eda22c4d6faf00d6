"""What a training of SSD's head makes small: classes and offsets of default boxes.

SSD, arXiv 1512.02325, section 2.2.
"""

import torch
from torch.nn import functional

from evonas.models.detection.default_boxes import OffsetBoxes
from evonas.networks.detector.ssd_head import BACKGROUND
from evonas.settings import TrainingSettings
from evonas.tasks.detection.labels import Labels
from evonas.tasks.detection.overlap import iou
from evonas.tasks.detection.terms import Terms
from evonas.tasks.task import Outputs

ENOUGH = 0.5  # overlap of a default box with a thing that it learns
BEST = 1.0  # above any overlap
NOBODY = -1
LEAST = 1e-6  # px or of a default box's side, in place of less
TINY = torch.finfo(torch.float32).tiny


def ssd_terms(outputs: Outputs, labels: Labels, recipe: TrainingSettings) -> list[Terms]:
    """(conf + alpha loc) / N, equation 1: sums over the default boxes that learn a thing.

    Of the others those count whose loss of classes is largest, `hard_negatives` times as many in
    each image. `location` is alpha.
    """
    boxes, logits, priors = outputs
    label = matched(labels, priors[0], len(boxes))
    is_something = label >= 0
    image, point = is_something.nonzero(as_tuple=True)
    own = label[image, point]
    classes = torch.zeros_like(label)
    classes[image, point] = labels.classes[own] + BACKGROUND
    losses = functional.cross_entropy(
        logits.flatten(0, 1),
        classes.flatten(),
        reduction="none",
        label_smoothing=recipe.label_smoothing,
    ).reshape(label.shape)
    negatives = hard_negatives(losses.detach(), is_something, recipe.hard_negatives)
    weights = labels.weights[own]
    said = offsets(boxes[image, point], priors[0, point])
    wanted = offsets(labels.boxes[own], priors[0, point])
    away = functional.smooth_l1_loss(said, wanted, reduction="none").sum(1)
    sums = {
        "cls": (losses[image, point] * weights).sum() + losses[negatives].sum(),
        "location": (away * weights).sum(),
    }
    return [Terms(sums, weights.sum())]


@torch.no_grad()
def matched(labels: Labels, priors: torch.Tensor, batch: int) -> torch.Tensor:
    """The label that each default box learns, or -1: int64 (batch, points).

    Each thing has its best default box; all others learn the thing that they overlap with most,
    if that is by half or more. A default box that is the best of several things learns that which
    it overlaps with most.

    Args:
        priors: (points, 4): centre and sides in px.
    """
    label = torch.full((batch, len(priors)), NOBODY, device=priors.device)
    corners = torch.cat([priors[:, :2] - priors[:, 2:] / 2, priors[:, :2] + priors[:, 2:] / 2], 1)
    for image in sorted({*labels.image.tolist()}):
        own = (labels.image == image).nonzero()[:, 0]
        overlap = iou(labels.boxes[own][:, None], corners)
        best = overlap.argmax(1, keepdim=True)
        overlap.scatter_add_(1, best, torch.full_like(best, BEST, dtype=overlap.dtype))
        most, which = overlap.max(0)
        label[image] = own[which].where(most >= ENOUGH, NOBODY)
    return label


@torch.no_grad()
def hard_negatives(losses: torch.Tensor, is_something: torch.Tensor, times: float) -> torch.Tensor:
    """Which default boxes of the background count: (batch, points), those of the largest losses.

    So many times as many in each image as learn a thing there.
    """
    ranked = losses.masked_fill(is_something, -torch.inf)
    rank = ranked.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    is_hard: torch.Tensor = rank < times * is_something.sum(1, keepdim=True)
    return is_hard & ~is_something


def offsets(boxes: torch.Tensor, priors: torch.Tensor) -> torch.Tensor:
    """How far boxes (n, 4) in px are from default ones (n, 4), equation 2, with variances.

    The inverse of `OffsetBoxes`: (n, 4), right, down, wider, higher.
    """
    sizes = (boxes[:, 2:] - boxes[:, :2]).clamp(min=LEAST) / priors[:, 2:]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 - priors[:, :2]
    return torch.cat(
        [centres / priors[:, 2:] / OffsetBoxes.centre, sizes.log() / OffsetBoxes.size], 1
    )


def ssd_imitated(
    outputs: Outputs, taught: Outputs, temperature: float, recipe: TrainingSettings
) -> torch.Tensor:
    """Classes and offsets of all points, by the recipe's gains.

    Points count as much as the teacher is sure that something is there, and the loss is the mean
    over that (see `imitation.branches_imitated`).
    """
    (boxes, logits, priors), (other_boxes, other_logits, _) = outputs, taught
    sure = 1 - other_logits.softmax(2)[:, :, 0]
    own, wanted = ((each / temperature).log_softmax(2) for each in (logits, other_logits))
    classes = (wanted.exp() * (wanted - own)).sum(2)
    points = priors.expand(len(boxes), -1, -1).flatten(0, 1)
    said, told = (offsets(each.flatten(0, 1), points) for each in (boxes, other_boxes))
    away = functional.smooth_l1_loss(said, told, reduction="none").sum(1).reshape(sure.shape)
    each = temperature**2 * recipe.cls * classes + recipe.location * away
    return (sure * each).sum() / sure.sum().clamp(min=TINY)
