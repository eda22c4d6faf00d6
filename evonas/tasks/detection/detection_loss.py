"""What a detector's training makes small: class, box and distribution, each with its gain."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch.nn import functional

from evonas.settings import TrainingSettings
from evonas.tasks.detection.assigners import ASSIGNERS, ONE_TO_ONE, Assigner, Pairs
from evonas.tasks.detection.labels import Branch, Labels, branches
from evonas.tasks.detection.overlap import OVERLAPS

ClassLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # of logits and soft targets
FOCUS = 2.0  # gamma of both focal losses
BACKGROUND = 0.75  # alpha of varifocal


@dataclass(frozen=True)
class Terms:
    """Sums over all points of a batch; `quality` is that of the points which learn a box."""

    classes: torch.Tensor
    boxes: torch.Tensor
    bins: torch.Tensor
    quality: torch.Tensor

    def __add__(self, other: "Terms") -> "Terms":
        return Terms(
            self.classes + other.classes,
            self.boxes + other.boxes,
            self.bins + other.bins,
            self.quality + other.quality,
        )

    def loss(self, recipe: TrainingSettings) -> torch.Tensor:
        """All of it for each point that learns a box: by the recipe's gains."""
        total = recipe.cls * self.classes + recipe.box * self.boxes + recipe.dfl * self.bins
        return total / self.quality.clamp(min=1)


def detection_loss(
    outputs: tuple[torch.Tensor, ...], targets: torch.Tensor, recipe: TrainingSettings
) -> torch.Tensor:
    """The mean over the points that learn a box, summed over branches.

    Args:
        outputs: As `Detection` has them.
        targets: (batch, most, 5), or (batch, most, 6) with the weight of each label.
    """
    return torch.stack([own.loss(recipe) for own in terms(outputs, targets, recipe)]).sum()


def terms(
    outputs: tuple[torch.Tensor, ...], targets: torch.Tensor, recipe: TrainingSettings
) -> list[Terms]:
    """Of each branch. A one-to-one branch teaches one point a box, whatever the assigner is."""
    labels = Labels.of(targets)
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
    return Terms(
        CLASS_LOSSES[recipe.class_loss](branch.logits, targets).sum(),
        ((1 - overlap) * quality).sum(),
        (_bin_losses(branch, labels, pairs) * quality).sum(),
        quality.sum(),
    )


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


def bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy with soft targets."""
    return functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def focal(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """|y - p|² x binary cross-entropy: the focal loss for soft targets y.

    The quality focal loss of Li et al. 2020, arXiv 2006.04388, equation 2.
    """
    return (targets - logits.sigmoid()).abs().pow(FOCUS) * bce(logits, targets)


def varifocal(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy, weighted by y where y > 0 and by 0.75 p² elsewhere.

    Zhang et al. 2021, arXiv 2008.13367, equation 2.
    """
    background = BACKGROUND * logits.sigmoid().pow(FOCUS)
    return torch.where(targets > 0, targets, background) * bce(logits, targets)


CLASS_LOSSES: Mapping[str, ClassLoss] = {"bce": bce, "focal": focal, "varifocal": varifocal}


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
