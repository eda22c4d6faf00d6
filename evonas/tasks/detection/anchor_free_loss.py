"""What a training of anchor-free heads makes small: class, box and distribution of points."""

import torch

from evonas.settings import TrainingSettings
from evonas.tasks.detection.assigners import ASSIGNERS, ONE_TO_ONE, Assigner, Pairs
from evonas.tasks.detection.class_losses import CLASS_LOSSES
from evonas.tasks.detection.labels import Branch, Labels, branches
from evonas.tasks.detection.overlap import OVERLAPS
from evonas.tasks.detection.terms import Terms
from evonas.tasks.task import Outputs


def anchor_free_terms(outputs: Outputs, labels: Labels, recipe: TrainingSettings) -> list[Terms]:
    """Of each branch. A one-to-one branch teaches one point a box, whatever the assigner is."""
    deployed, many = branches(outputs)
    assigner = ASSIGNERS[recipe.assigner]
    if many is None:
        return [_terms(deployed, labels, assigner, recipe)]
    pairs = ((deployed, ONE_TO_ONE), (many, assigner))
    return [_terms(branch, labels, assign, recipe) for branch, assign in pairs]


def _terms(branch: Branch, labels: Labels, assign: Assigner, recipe: TrainingSettings) -> Terms:
    pairs = assign(labels, branch)
    quality = pairs.quality * labels.weights[pairs.label]
    image = labels.image[pairs.label]
    targets = _class_targets(branch, labels, pairs, quality, recipe.label_smoothing)
    overlap = OVERLAPS[recipe.box_loss](branch.boxes[image, pairs.point], labels.boxes[pairs.label])
    sums = {
        "cls": CLASS_LOSSES[recipe.class_loss](branch.logits, targets).sum(),
        "box": ((1 - overlap) * quality).sum(),
        "dfl": (_bin_losses(branch, labels, pairs) * quality).sum(),
    }
    return Terms(sums, quality.sum())


def _class_targets(
    branch: Branch, labels: Labels, pairs: Pairs, quality: torch.Tensor, smoothing: float
) -> torch.Tensor:
    """How sure each point is to be of each class, (batch, points, classes).

    Smoothing spreads a share of what a point is sure of over all classes; the background stays 0.
    """
    targets = torch.zeros_like(branch.logits)
    image, classes = labels.image[pairs.label], labels.classes[pairs.label]
    if smoothing:
        targets[image, pairs.point] = (smoothing / targets.shape[2] * quality)[:, None]
    targets[image, pairs.point, classes] += (1 - smoothing) * quality
    return targets


def _bin_losses(branch: Branch, labels: Labels, pairs: Pairs) -> torch.Tensor:
    """Distribution focal loss, the mean over the four sides, (pairs,); 0 if there is one bin.

    A distance lies between two bins: cross-entropy with both, weighted by how near they are (Li et
    al. 2020, arXiv 2006.04388, equation 6).
    """
    rows = branch.distances[labels.image[pairs.label], pairs.point]
    bins = rows.shape[1] // 4
    if bins == 1:
        return rows.sum(1) * 0
    logs = rows.reshape(-1, bins).log_softmax(1)
    wanted = distances(branch.priors[pairs.point], labels.boxes[pairs.label])
    wanted = wanted.clamp(0, bins - 1).reshape(-1, 1)
    lower = wanted.floor().clamp(max=bins - 2)
    share = wanted - lower
    below, above = (logs.gather(1, lower.long() + step) for step in (0, 1))
    return -((1 - share) * below + share * above).reshape(-1, 4).mean(1)


def distances(priors: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """How far left, above, right and below of each prior's centre its box ends, in its sizes."""
    centres, sizes = priors[:, :2], priors[:, 2:]
    return torch.cat([(centres - boxes[:, :2]) / sizes, (boxes[:, 2:] - centres) / sizes], 1)
