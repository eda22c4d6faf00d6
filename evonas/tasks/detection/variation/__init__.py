"""Whole batches of images with their boxes, varied at random on the device they lie on.

All random numbers come from the given CPU generator, so that a seed means the same on every device.
What becomes of boxes is computed on the CPU, as they are few; what becomes of pixels where they
are. A heuristic whose setting is 0 draws nothing and costs nothing.
"""

import torch

from evonas.networks.problem import Problem
from evonas.settings import TrainingSettings
from evonas.tasks.detection.variation.box_mixing import BOX_MIXERS
from evonas.tasks.detection.variation.box_rows import packed, rows_of
from evonas.tasks.detection.variation.box_sizes import interpolated, sized
from evonas.tasks.detection.variation.mosaic import mosaics
from evonas.tasks.detection.variation.placement import flipped, moved
from evonas.tasks.normalisation import normalised
from evonas.tasks.variation.colour import recoloured
from evonas.tasks.variation.erasing import erased
from evonas.tasks.variation.mixing import mixed

__all__ = ["augmented", "varied"]


def varied(
    images: torch.Tensor,
    targets: torch.Tensor,
    problem: Problem,
    recipe: TrainingSettings,
    done: float,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The batch as the recipe has it at this share of a training, normalised and blanked.

    Args:
        images: uint8 (batch, channels, side, side); of another side, if the recipe has it.
        targets: (batch, most, 5): class, x1, y1, x2, y2 in px. Returned as (batch, most, 6), with
            the weight of each label, and `most` a multiple of 8.
        done: The share of the training that is done, 0..1.
    """
    images, rows = augmented(images, rows_of(targets), recipe, done, generator)
    images = erased(normalised(images, problem), recipe, generator)
    return images, packed(rows).to(images.device)


def augmented(
    images: torch.Tensor,
    rows: torch.Tensor,
    recipe: TrainingSettings,
    done: float,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images resized, put together of four, mixed, cropped, moved, flipped and recoloured.

    uint8 (batch, channels, side, side), and their labels as rows (see `box_rows`), to the same.
    """
    images, rows = sized(images, rows, recipe, done, generator)
    images = interpolated(images, recipe, generator)
    images, rows = mosaics(images, rows, recipe, done, generator)
    images, rows = mixed(images, rows, recipe, generator, BOX_MIXERS)
    images, rows = moved(images, rows, recipe, generator)
    images, rows = flipped(images, rows, recipe, generator)
    return recoloured(images, recipe, generator), rows
