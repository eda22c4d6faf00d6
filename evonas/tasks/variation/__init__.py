"""Whole batches of images, varied at random on the device they lie on.

`augmented` moves and recolours images, `erased` blanks parts of them, `mixed` mixes them with
each other. All random numbers come from the given CPU generator, so that a seed means the same
on every device. A heuristic whose setting is 0 draws nothing and costs nothing: with all of them
off, what came in is given back as it is.
"""

import torch

from evonas.settings import TrainingSettings
from evonas.tasks.variation.colour import recoloured
from evonas.tasks.variation.erasing import erased
from evonas.tasks.variation.geometry import flip_left_right, flipped, moved, translate
from evonas.tasks.variation.mixing import mixed, mixes

__all__ = ["augmented", "erased", "flip_left_right", "mixed", "mixes", "translate"]


def augmented(
    images: torch.Tensor, recipe: TrainingSettings, generator: torch.Generator
) -> torch.Tensor:
    """The images moved, flipped and recoloured, each on its own.

    uint8 (batch, channels, height, width) to the same.
    """
    for change in (moved, flipped, recoloured):
        images = change(images, recipe, generator)
    return images
