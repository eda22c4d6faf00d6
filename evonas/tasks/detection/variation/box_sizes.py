"""Batches of many sizes, and images as pictures of another resolution look."""

import math

import torch
from torch.nn import functional

from evonas.settings import TrainingSettings
from evonas.tasks.detection.variation.box_rows import BOX, placed
from evonas.tasks.variation.geometry import drawn
from evonas.tasks.variation.resolution import resized, side_px

# Sides of batches: of the first of these that leaves several between the least and the largest.
MULTIPLES_PX = (32, 16, 8)
SEVERAL = 3
SMALLEST = 0.5  # side of an image before it is enlarged, as a share
INTERPOLATIONS = ("nearest-exact", "bilinear", "bicubic", "area")


def sized(
    images: torch.Tensor,
    rows: torch.Tensor,
    recipe: TrainingSettings,
    done: float,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and labels at the size of this batch: of this share of a training, and drawn.

    uint8 (batch, channels, side, side) and rows to the same.

    Args:
        done: The share of the training that is done, 0..1.
    """
    full = images.shape[2]
    side = side_px(full, recipe.progressive, done)
    if recipe.multi_scale > 0:
        sides = sides_px(side, recipe.multi_scale)
        side = sides[int(torch.randint(len(sides), (), generator=generator))]
    if side == full:
        return images, rows
    return resized(images, side), placed(rows, rows[..., BOX] * (side / full))


def sides_px(usual_px: int, share: float) -> list[int]:
    """The sides from 1 - share to 1 + share times the usual one.

    In multiples of 32 px, or of 16 or 8 where there would be fewer than three (YOLOv2, arXiv
    1612.08242, section 2: 320, 352, ..., 608).

    >>> sides_px(160, 0.25), sides_px(64, 0.25)
    ([128, 160, 192], [48, 64, 80])
    """
    least, largest = usual_px * (1 - share) - 1e-6, usual_px * (1 + share) + 1e-6
    sides: list[int] = []
    for multiple in MULTIPLES_PX:
        sides = [*range(multiple * math.ceil(least / multiple), int(largest) + 1, multiple)]
        if len(sides) >= SEVERAL:
            return sides
    return sides or [usual_px]


def interpolated(
    images: torch.Tensor, recipe: TrainingSettings, generator: torch.Generator
) -> torch.Tensor:
    """A share of the images made smaller and large again, by interpolations drawn at random.

    So pictures look that were of another resolution, or resized by another program. The size and
    both interpolations are drawn once for the batch. uint8 (batch, channels, side, side).
    """
    chosen = drawn(len(images), recipe.interpolate, generator).to(images.device)
    if len(chosen) == 0:
        return images
    side = images.shape[2]
    share = SMALLEST + (1 - SMALLEST) * torch.rand((), generator=generator).item()
    modes = torch.randint(len(INTERPOLATIONS), (2,), generator=generator).tolist()
    changed = images.index_select(0, chosen).float()
    for size, mode in zip((max(1, round(share * side)), side), modes, strict=True):
        changed = functional.interpolate(changed, size, mode=INTERPOLATIONS[mode])
    return images.index_copy(0, chosen, changed.round_().clamp_(0, 255).to(torch.uint8))
