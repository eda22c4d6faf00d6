"""Images shifted, zoomed, turned, sheared and mirrored."""

from collections.abc import Callable, Mapping

import torch
from torch.nn import functional

from evonas.data.image import BARS
from evonas.settings import TrainingSettings

# How `grid_sample` calls what comes in at the sides, and the level that is 0 to it.
PADDINGS = {"black": ("zeros", 0), "grey": ("zeros", BARS), "reflect": ("reflection", 0)}


def moved(
    images: torch.Tensor, recipe: TrainingSettings, generator: torch.Generator
) -> torch.Tensor:
    """The images zoomed, turned, sheared and then shifted, as far as the recipe has it.

    uint8 (batch, channels, height, width) to the same. A shift alone is by whole pixels, which is
    much faster; anything else interpolates between pixels, once for all changes together.
    """
    if not any(getattr(recipe, name) for name in AFFINE):
        return translate(images, recipe.translate, generator, recipe.fill)
    return warp(images, *affine(images, recipe, generator), recipe.fill)


def affine(
    images: torch.Tensor, recipe: TrainingSettings, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random matrices and shifts as of `warp`, for images (batch, channels, height, width)."""
    batch, _, height, width = images.shape
    inverse = torch.eye(2).expand(batch, 2, 2)
    for name, change in AFFINE.items():
        gain = getattr(recipe, name)
        if gain > 0:
            inverse = inverse @ change(gain * _signed(batch, generator))
    reach = recipe.translate * torch.tensor([width, height])
    return inverse, reach * _signed(batch, generator)


def translate(
    images: torch.Tensor, share: float, generator: torch.Generator, fill: str = "black"
) -> torch.Tensor:
    """Shifts each image by up to `share` of its sides, by whole pixels.

    (batch, channels, height, width) to the same shape.

    Args:
        fill: What comes in: `black`, or the image mirrored at its edge (`reflect`).
    """
    batch, _, height, width = images.shape
    down, right = (min(round(share * side), side - 1) for side in (height, width))
    if down == right == 0:
        return images
    offsets = torch.stack(
        [torch.randint(2 * reach + 1, (batch,), generator=generator) for reach in (down, right)]
    ).to(images.device)
    mode = "constant" if fill == "black" else fill
    padded = functional.pad(images, (right, right, down, down), mode=mode)
    # Windows are views until they are chosen: three times as fast as an index for each pixel.
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    return windows[torch.arange(batch, device=images.device), :, offsets[0], offsets[1]]


def zoom(amounts: torch.Tensor) -> torch.Tensor:
    """Larger by 1 + the amount. (batch, 2) to matrices (batch, 2, 2) as of `warp`."""
    return torch.eye(2) / (1 + amounts[:, :1, None])


def rotation(amounts: torch.Tensor) -> torch.Tensor:
    """Anticlockwise by the amount in degrees. (batch, 2) to matrices as of `warp`."""
    angles = amounts[:, 0].deg2rad()
    cosines, sines = angles.cos(), angles.sin()
    return torch.stack([cosines, -sines, sines, cosines], 1).view(-1, 2, 2)


def shear(amounts: torch.Tensor) -> torch.Tensor:
    """Slanted by the amounts in degrees. (batch, 2) to matrices as of `warp`.

    Columns by the first, then rows by the second: so areas stay, and there always is an inverse.
    """
    slopes = amounts.deg2rad().tan()
    along, down = torch.eye(2).repeat(2, len(amounts), 1, 1)
    along[:, 0, 1], down[:, 1, 0] = -slopes[:, 0], -slopes[:, 1]
    return torch.bmm(along, down)


# Setting to matrices of (batch, 2) independent amounts in ± the setting; in this order.
AFFINE: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "scale": zoom,
    "degrees": rotation,
    "shear": shear,
}


def warp(
    images: torch.Tensor, inverses: torch.Tensor, shifts: torch.Tensor, fill: str
) -> torch.Tensor:
    """Shows at p, in pixels from the middle, what was at `inverse @ (p - shift)`.

    Bilinear between pixels. uint8 (batch, channels, height, width) to the same.

    Args:
        inverses: (batch, 2, 2), on the CPU, of x to the right and y downwards.
        shifts: (batch, 2), on the CPU, in pixels.
        fill: What comes in: `black`, `grey`, or the image mirrored at its edge (`reflect`).
    """
    padding, level = PADDINGS[fill]
    height, width = images.shape[2:]
    half = torch.tensor([max(width - 1, 1), max(height - 1, 1)]) / 2
    steps = (inverses / half[:, None]).mT  # by a pixel to the right, by one downwards
    begin = -shifts[:, None] @ steps
    across = _from_middle(width) * steps[:, :1]
    down = _from_middle(height) * steps[:, 1:] + begin
    # A sum of two lines: several times as fast as `affine_grid`.
    grid = across.to(images.device)[:, None] + down.to(images.device)[:, :, None]
    floats = images.float()
    floats = floats - level if level else floats
    sampled = functional.grid_sample(floats, grid, padding_mode=padding, align_corners=True)
    sampled = sampled.add_(level) if level else sampled
    return sampled.round_().to(torch.uint8)


def flipped(
    images: torch.Tensor, recipe: TrainingSettings, generator: torch.Generator
) -> torch.Tensor:
    """The images mirrored, each with the probabilities of the recipe."""
    images = flip_left_right(images, recipe.fliplr, generator)
    return flip_upside_down(images, recipe.flipud, generator)


def flip_left_right(
    images: torch.Tensor, probability: float, generator: torch.Generator
) -> torch.Tensor:
    """Mirrors each image with the given probability; keeps the shape."""
    return mirrored(images, 3, drawn(len(images), probability, generator))


def flip_upside_down(
    images: torch.Tensor, probability: float, generator: torch.Generator
) -> torch.Tensor:
    """Turns each image upside down with the given probability; keeps the shape."""
    return mirrored(images, 2, drawn(len(images), probability, generator))


def drawn(count: int, probability: float, generator: torch.Generator) -> torch.Tensor:
    """The numbers of those of so many that are chosen, each with the given probability."""
    if probability == 0:
        return torch.zeros(0, dtype=torch.int64)
    return (torch.rand(count, generator=generator) < probability).nonzero()[:, 0]


def mirrored(images: torch.Tensor, axis: int, chosen: torch.Tensor) -> torch.Tensor:
    """The images of these numbers mirrored along an axis."""
    if len(chosen) == 0:
        return images
    chosen = chosen.to(images.device)
    return images.index_copy(0, chosen, images.index_select(0, chosen).flip(axis))


def _from_middle(side: int) -> torch.Tensor:
    return (torch.arange(side) - (side - 1) / 2)[:, None]


def _signed(batch: int, generator: torch.Generator) -> torch.Tensor:
    """Uniform in -1..1, (batch, 2)."""
    return 2 * torch.rand(batch, 2, generator=generator) - 1
