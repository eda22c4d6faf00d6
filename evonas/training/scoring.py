"""How well a network does on images that it does not learn from."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from evonas.data.dataset import Split
from evonas.errors import TrialFailure
from evonas.networks.problem import Problem
from evonas.settings import TrainingSettings
from evonas.tasks import task_of
from evonas.tasks.normalisation import normalised
from evonas.tasks.task import LOSS, Outputs, outputs_of

BATCH = 256
CPU = torch.device("cpu")


@torch.no_grad()
def evaluate(
    network: nn.Module,
    split: Split,
    problem: Problem,
    recipe: TrainingSettings,
    device: torch.device | None = None,
) -> dict[str, float]:
    """All measures of the task on a split, in evaluation mode, in float32.

    Raises:
        TrialFailure: The network gives something that is not finite (`diverged`).
    """
    outputs = _outputs(network.eval(), split, problem, device or torch.device("cpu"))
    scores = task_of(problem).scores(outputs, problem, recipe)
    if not math.isfinite(scores[LOSS]):
        raise TrialFailure("diverged", "the trained network gives values that are not finite")
    return scores


@torch.no_grad()
def tabulate(
    network: nn.Module,
    split: Split,
    problem: Problem,
    recipe: TrainingSettings,
    device: torch.device | None = None,
) -> list[dict[str, Any]]:
    """Scores of each class on a split, where the task has such (see `Task.table`)."""
    outputs = _outputs(network.eval(), split, problem, device or torch.device("cpu"))
    return task_of(problem).table(outputs, problem, recipe)


@torch.no_grad()
def example_outputs(network: nn.Module, split: Split, problem: Problem) -> list[NDArray[Any]]:
    """What the network gives for all images of a small split, on the processor."""
    batches = [outputs for outputs, _ in _outputs(network.eval(), split, problem, CPU)]
    return [torch.cat(parts).numpy() for parts in zip(*batches, strict=True)]


def _outputs(
    network: nn.Module, split: Split, problem: Problem, device: torch.device
) -> Iterator[tuple[Outputs, torch.Tensor]]:
    for start in range(0, len(split), BATCH):
        images = torch.from_numpy(split.images[start : start + BATCH]).to(device)
        targets = torch.from_numpy(split.targets[start : start + BATCH].copy()).to(device)
        outputs = outputs_of(network(normalised(images, problem)))
        yield tuple(output.float() for output in outputs), targets
