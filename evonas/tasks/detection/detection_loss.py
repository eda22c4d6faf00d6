"""What a detector's training makes small, whatever its head is."""

import torch

from evonas.settings import TrainingSettings
from evonas.tasks.detection.head_outputs import head_of
from evonas.tasks.detection.labels import Labels
from evonas.tasks.detection.terms import Terms
from evonas.tasks.task import Outputs

SURE = 1 - 1e-6  # the largest score that still has a finite log of its opposite


def detection_loss(
    outputs: Outputs, targets: torch.Tensor, recipe: TrainingSettings
) -> torch.Tensor:
    """The sum of what the terms of the head are means of.

    Args:
        outputs: As `Detection` has them.
        targets: (batch, most, 5), or (batch, most, 6) with the weight of each label.
    """
    return torch.stack([own.loss(recipe) for own in terms(outputs, targets, recipe)]).sum()


def unseen(outputs: Outputs) -> torch.Tensor:
    """The log of the probability that no point sees anything: 0 at most."""
    head = head_of(outputs)
    _, scores = (head.reaching or head.decoded)(outputs)
    return torch.log1p(-scores.clamp(max=SURE)).sum()


def terms(outputs: Outputs, targets: torch.Tensor, recipe: TrainingSettings) -> list[Terms]:
    """Those of the head that gave the outputs."""
    return head_of(outputs).terms(outputs, Labels.of(targets), recipe)
