"""Whole batches of images, varied at random on the device they lie on.

`varied` moves, recolours, normalises and blanks images, `mixed` mixes them with each other. All
random numbers come from the given CPU generator, so that a seed means the same on every device. A
heuristic whose setting is 0 draws nothing and costs nothing.
"""

import torch

from evonas.networks.problem import Problem
from evonas.settings import TrainingSettings
from evonas.tasks.normalisation import normalised
from evonas.tasks.variation.colour import recoloured
from evonas.tasks.variation.erasing import erased
from evonas.tasks.variation.geometry import flipped, moved
from evonas.tasks.variation.mixing import mixed, mixes, one_hot
from evonas.tasks.variation.resolution import resized, side_px

__all__ = ["augmented", "mixed", "mixes", "one_hot", "varied"]


def varied(
    images: torch.Tensor,
    problem: Problem,
    recipe: TrainingSettings,
    done: float,
    generator: torch.Generator,
) -> torch.Tensor:
    """The images at the size of this share of a training, varied, normalised and blanked.

    uint8 (batch, channels, height, width) to floats. For tasks whose targets say nothing of places.
    """
    images = resized(images, side_px(images.shape[2], recipe.progressive, done))
    images = normalised(augmented(images, recipe, generator), problem)
    return erased(images, recipe, generator)


def augmented(
    images: torch.Tensor, recipe: TrainingSettings, generator: torch.Generator
) -> torch.Tensor:
    """The images moved, flipped and recoloured, each on its own.

    uint8 (batch, channels, height, width) to the same; with all settings 0, what came in.
    """
    for change in (moved, flipped, recoloured):
        images = change(images, recipe, generator)
    return images
