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
    outputs = _outputs(network.eval(), split, problem, recipe, device or CPU)
    scores = task_of(problem).scores(outputs, problem, recipe)
    if not math.isfinite(scores[LOSS]):
        raise TrialFailure("diverged", "the trained network gives values that are not finite")
    return scores


@torch.no_grad()
def detail(
    network: nn.Module,
    split: Split,
    problem: Problem,
    recipe: TrainingSettings,
    device: torch.device | None = None,
) -> dict[str, Any]:
    """What there is to know of single classes on a split (see `Task.details`)."""
    outputs = _outputs(network.eval(), split, problem, recipe, device or CPU)
    return task_of(problem).details(outputs, problem, recipe)


@torch.no_grad()
def example_outputs(
    network: nn.Module, split: Split, problem: Problem, recipe: TrainingSettings
) -> list[NDArray[Any]]:
    """What the network gives for all images of a small split, on the processor."""
    batches = [outputs for outputs, _ in _outputs(network.eval(), split, problem, recipe, CPU)]
    return [torch.cat(parts).numpy() for parts in zip(*batches, strict=True)]


def _outputs(
    network: nn.Module,
    split: Split,
    problem: Problem,
    recipe: TrainingSettings,
    device: torch.device,
) -> Iterator[tuple[Outputs, torch.Tensor]]:
    size = BATCH // 2 if recipe.flip_test else BATCH  # as many go through the network at a time
    for start in range(0, len(split), size):
        images = torch.from_numpy(split.images[start : start + size]).to(device)
        targets = torch.from_numpy(split.targets[start : start + size].copy()).to(device)
        outputs = _seen(network, normalised(images, problem), problem, recipe)
        yield tuple(output.float() for output in outputs), targets


def _seen(
    network: nn.Module, images: torch.Tensor, problem: Problem, recipe: TrainingSettings
) -> Outputs:
    """Outputs for images, and with `flip_test` behind them those for their mirror images."""
    if not recipe.flip_test:
        return outputs_of(network(images))
    outputs = outputs_of(network(torch.cat([images, images.flip(3)])))
    return task_of(problem).unmirrored(outputs, images.shape[3])
