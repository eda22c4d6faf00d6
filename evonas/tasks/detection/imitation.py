"""What anchor-free heads learn from others that look at the same points."""

import torch

from evonas.settings import TrainingSettings
from evonas.tasks.detection.class_losses import bce
from evonas.tasks.detection.labels import Branch, branches
from evonas.tasks.task import Outputs

TINY = torch.finfo(torch.float32).tiny


def branches_imitated(
    outputs: Outputs, taught: Outputs, temperature: float, recipe: TrainingSettings
) -> torch.Tensor:
    """Classes and distributions of all points, by the recipe's gains, summed over branches.

    Points count as much as the teacher is sure that something is there, as in localisation
    distillation (Zheng et al. 2022, arXiv 2102.12252, section 3), and the loss is the mean over
    that. A branch learns from the same one of the teacher: one-to-one from one-to-one, so that
    there is still one box a thing, and many from many. Without such a one it learns nothing.
    """
    pairs = zip(_by_kind(outputs), _by_kind(taught), strict=True)
    losses = [
        _branch_loss(own, other, temperature, recipe) for own, other in pairs if own and other
    ]
    return torch.stack(losses).sum()


def _by_kind(outputs: Outputs) -> tuple[Branch | None, Branch | None]:
    """The one-to-one branch, and the one that teaches many points a box; every detector has one."""
    deployed, many = branches(outputs)
    return (None, deployed) if many is None else (deployed, many)


def _branch_loss(
    own: Branch, other: Branch, temperature: float, recipe: TrainingSettings
) -> torch.Tensor:
    sure = other.logits.sigmoid().amax(2)
    classes = _of_classes(own.logits / temperature, other.logits / temperature).sum(2)
    sides = _of_sides(own.distances, other.distances, temperature)
    each = recipe.cls * classes + recipe.dfl * sides
    return temperature**2 * (sure * each).sum() / sure.sum().clamp(min=TINY)


def _of_classes(logits: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
    """KL divergence of the probabilities of each class by itself, of the same shape."""
    wanted = taught.sigmoid()
    return bce(logits, wanted) - bce(taught, wanted)


def _of_sides(distances: torch.Tensor, taught: torch.Tensor, temperature: float) -> torch.Tensor:
    """KL divergence of the distributions, the mean over the four sides, (batch, points).

    0 where they have other bins, or one alone: then there is nothing to compare.
    """
    if distances.shape != taught.shape:
        return distances.new_zeros(distances.shape[:2])
    batch, points = distances.shape[:2]
    own, wanted = (
        (each.reshape(batch, points, 4, -1) / temperature).log_softmax(3)
        for each in (distances, taught)
    )
    return (wanted.exp() * (wanted - own)).sum(3).mean(2)
