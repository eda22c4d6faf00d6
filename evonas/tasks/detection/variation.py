"""Whole batches of images with boxes, as a training sees them."""

import torch
from torch.nn import functional

from evonas.networks.problem import Problem
from evonas.settings import TrainingSettings
from evonas.tasks.normalisation import normalised
from evonas.tasks.variation.resolution import resized, side_px


def varied(
    images: torch.Tensor,
    targets: torch.Tensor,
    problem: Problem,
    recipe: TrainingSettings,
    done: float,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The images at the size of this share of a training, normalised.

    Labels are (batch, most, 6): the weight 1 comes behind each.
    """
    small = resized(images, side_px(images.shape[2], recipe.progressive, done))
    scale = torch.ones(6, device=targets.device)
    scale[1:5] = small.shape[2] / images.shape[2]
    return normalised(small, problem), functional.pad(targets, (0, 1), value=1.0) * scale
