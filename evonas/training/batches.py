"""Batches cut from images that stay in memory; no data loader."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from evonas.data.dataset import Split
from evonas.networks.problem import Problem
from evonas.settings import TrainingSettings
from evonas.tasks import task_of

Batch = tuple[torch.Tensor, torch.Tensor]

LARGEST, SMALLEST = 64, 16  # batches, where the recipe leaves it open
STEPS = 24  # that an epoch then has, if the smallest batches allow


@dataclass(frozen=True)
class Batches:
    """The images of a split as batches for a recipe, varied as the task has it.

    `images` are uint8 (count, channels, height, width) and `targets` (count, ...), on the device.
    """

    images: torch.Tensor
    targets: torch.Tensor
    problem: Problem
    recipe: TrainingSettings

    @property
    def size(self) -> int:
        """Images of a batch, if there are so many."""
        return batch_size(self.recipe, len(self.images))

    def __len__(self) -> int:
        """Batches of an epoch: an incomplete one is left out, unless it is the only one."""
        return max(1, len(self.images) // self.size)

    def epoch(self, epoch: int, generator: torch.Generator) -> Iterator[tuple[float, Batch]]:
        """Each batch of a shuffled pass, and the share of the whole training at its step."""
        order = torch.randperm(len(self.images), generator=generator).to(self.images.device)
        size, vary = self.size, task_of(self.problem).varied
        for number in range(len(self)):
            done = (epoch + (number + 1) / (len(self) + 1)) / self.recipe.epochs
            chosen = order[number * size : (number + 1) * size]
            images, targets = (kept.index_select(0, chosen) for kept in (self.images, self.targets))
            yield done, vary(images, targets, self.problem, self.recipe, done, generator)


def batch_size(recipe: TrainingSettings, images: int) -> int:
    """The recipe's, or 64, halved until an epoch has 24 steps, down to 16.

    Small batches teach more in an epoch and take longer, and of few images an epoch is short.

    Args:
        images: Of an epoch.

    >>> batch_size(TrainingSettings(), 50_000), batch_size(TrainingSettings(), 1_000)
    (64, 32)
    """
    if recipe.batch_size is not None:
        return recipe.batch_size
    size = LARGEST
    while size > SMALLEST and images // size < STEPS:
        size //= 2
    return size


def resident_batches(
    split: Split, problem: Problem, recipe: TrainingSettings, device: torch.device
) -> Batches:
    """Batches of images that lie on the device: on a CPU where they are, in a file for instance."""
    images = torch.from_numpy(split.images).to(device)
    targets = torch.from_numpy(split.targets.copy()).to(device)
    return Batches(images, targets, problem, recipe)
