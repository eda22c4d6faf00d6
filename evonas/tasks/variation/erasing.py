"""Parts of images blanked."""

import math
from collections.abc import Callable, Mapping

import torch

from evonas.settings import TrainingSettings

AREAS = (0.02, 0.33)  # least and largest share of a rectangle
ASPECTS = (0.3, 3.3)  # least and largest height by width of a rectangle
PERIODS = (1 / 4, 1 / 2)  # least and largest period of a grid, as shares of the shorter side
KEPT = 0.6  # the share of a period between two blanks of a grid


def erased(
    images: torch.Tensor, recipe: TrainingSettings, generator: torch.Generator
) -> torch.Tensor:
    """The images with parts set to 0, the mean colour, as far as the recipe has it.

    Normalised floats (batch, channels, height, width) to the same shape and memory format.
    """
    for name, eraser in ERASERS.items():
        setting = getattr(recipe, name)
        if setting > 0:
            blank = eraser(images, setting, generator)
            images = images * ~blank  # keeps the memory format, which masked_fill does not
    return images


def cutout(images: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
    """One square of each image, its centre anywhere (DeVries & Taylor, arXiv 1708.04552).

    (batch, channels, height, width) to what is blank: bool (batch, 1, height, width).

    Args:
        share: The square's side as a share of the shorter side.
    """
    batch, _, *sides = images.shape
    size = torch.full((batch,), round(share * min(sides)))
    rows, columns = (
        _span(torch.randint(side, (batch,), generator=generator) - size // 2, size, side)
        for side in sides
    )
    return _crossing(rows, columns, images.device)


def rectangle(images: torch.Tensor, probability: float, generator: torch.Generator) -> torch.Tensor:
    """One rectangle of each image, with the given probability (after arXiv 1708.04896).

    It lies within the image. Its area is uniform in 2..33 % of the image's; its aspect is in
    0.3..3.3 times the image's own, log-uniform, so that tall and wide are as likely. Shapes as
    of `cutout`.
    """
    batch, _, *sides = images.shape
    chosen, areas, aspects, *places = torch.rand(5, batch, generator=generator)
    areas = AREAS[0] + (AREAS[1] - AREAS[0]) * areas
    aspects = (math.log(ASPECTS[0]) * (1 - aspects) + math.log(ASPECTS[1]) * aspects).exp()
    shares = (areas * aspects).sqrt(), (areas / aspects).sqrt()
    spans = []
    for side, share, place in zip(sides, shares, places, strict=True):
        size = (share * side).round().clamp(1, side)
        spans.append(_span((place * (side - size + 1)).floor(), size, side))
    return _crossing(spans[0] & (chosen < probability)[:, None], spans[1], images.device)


def grid(images: torch.Tensor, probability: float, generator: torch.Generator) -> torch.Tensor:
    """A grid of squares of each image, with the given probability (GridMask, arXiv 2001.04086).

    The period d is uniform in 1/4..1/2 of the shorter side, the squares' side is (1 - r) d with
    r = 0.6, the grid begins anywhere. Shapes as of `cutout`.
    """
    batch, _, *sides = images.shape
    least, largest = (max(round(share * min(sides)), 2) for share in PERIODS)
    periods = torch.randint(least, largest + 1, (batch, 1), generator=generator)
    chosen, *places = torch.rand(3, batch, 1, generator=generator)
    rows, columns = (
        (torch.arange(side) + (place * periods).long()) % periods < ((1 - KEPT) * periods).round()
        for side, place in zip(sides, places, strict=True)
    )
    return _crossing(rows & (chosen < probability), columns, images.device)


# Setting to what is blank of each image.
ERASERS: Mapping[str, Callable[[torch.Tensor, float, torch.Generator], torch.Tensor]] = {
    "cutout": cutout,
    "erasing": rectangle,
    "gridmask": grid,
}


def _span(starts: torch.Tensor, sizes: torch.Tensor, side: int) -> torch.Tensor:
    """Which of `side` positions lie in each span; one over the border is cut off there."""
    positions = torch.arange(side)
    return (positions >= starts[:, None]) & (positions < (starts + sizes)[:, None])


def _crossing(rows: torch.Tensor, columns: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Bool (batch, height) and (batch, width) to (batch, 1, height, width)."""
    return rows.to(device)[:, None, :, None] & columns.to(device)[:, None, None, :]
