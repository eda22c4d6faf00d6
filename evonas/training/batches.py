"""Batches cut from images that stay in memory, varied and normalised; no data loader."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from evonas.data.dataset import Split
from evonas.settings import TrainingSettings
from evonas.tasks.normalisation import Normalisation
from evonas.tasks.variation import augmented, erased, mixed, mixes
from evonas.tasks.variation.resolution import resized, side_px

Batch = tuple[torch.Tensor, torch.Tensor]

LARGEST, SMALLEST = 64, 16  # batches, where the recipe leaves it open
STEPS = 24  # that an epoch then has, if the smallest batches allow


@dataclass(frozen=True)
class Batches:
    """The images of a split as batches for a recipe.

    `images` are uint8 (count, channels, height, width) and `labels` (count,), on the device.
    """

    images: torch.Tensor
    labels: torch.Tensor
    normalisation: Normalisation
    recipe: TrainingSettings
    classes: int

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
        size = self.size
        for number in range(len(self)):
            done = (epoch + (number + 1) / (len(self) + 1)) / self.recipe.epochs
            yield done, self._cut(order[number * size : (number + 1) * size], done, generator)

    def _cut(self, chosen: torch.Tensor, done: float, generator: torch.Generator) -> Batch:
        """Normalised images (batch, channels, height, width), labels or shares of classes."""
        recipe = self.recipe
        height_px = side_px(self.images.shape[2], recipe.progressive, done)
        images = resized(self.images.index_select(0, chosen), height_px)
        images = self.normalisation.apply(augmented(images, recipe, generator))
        images = erased(images, recipe, generator)
        targets = self.labels.index_select(0, chosen)
        if not mixes(recipe):
            return images, targets
        return mixed(images, functional.one_hot(targets, self.classes).float(), recipe, generator)


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
    network: nn.Module,
    split: Split,
    normalisation: Normalisation,
    recipe: TrainingSettings,
    device: torch.device,
) -> Batches:
    """Batches of images that lie on the device: on a CPU where they are, in a file for instance."""
    images = torch.from_numpy(split.images).to(device)
    labels = torch.from_numpy(split.labels.copy()).to(device)
    classes = _classes(network, normalisation.apply(images[:1])) if mixes(recipe) else 0
    return Batches(images, labels, normalisation, recipe, classes)


@torch.no_grad()
def _classes(network: nn.Module, image: torch.Tensor) -> int:
    """How many the network tells apart; the labels at hand need not have all of them."""
    return int(network.eval()(image).shape[1])
