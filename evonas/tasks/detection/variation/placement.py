"""Images cropped, laid on larger canvases, zoomed, turned, sheared, shifted and mirrored."""

from dataclasses import dataclass

import torch

from evonas.data.image import BARS
from evonas.settings import TrainingSettings
from evonas.tasks.detection.variation.box_mixing import within
from evonas.tasks.detection.variation.box_rows import BOX, clipped, cut, only, placed, square
from evonas.tasks.detection.variation.crops import crop_windows, has_centre
from evonas.tasks.variation.geometry import AFFINE, affine, drawn, mirrored, warp

CANVAS = 4.0  # the largest one, in sides of the image (SSD, arXiv 1512.02325, 3.6)


@dataclass(frozen=True)
class Placement:
    """Where images come to lie: p goes to `matrix @ p + shift`, in px from the middle.

    Matrices (batch, 2, 2), shifts (batch, 2), on the CPU.
    """

    matrices: torch.Tensor
    shifts: torch.Tensor

    def then(self, matrices: torch.Tensor, shifts: torch.Tensor) -> "Placement":
        """With another one after it."""
        moved = (matrices @ self.shifts[..., None])[..., 0] + shifts
        return Placement(matrices @ self.matrices, moved)

    def boxes(self, boxes: torch.Tensor, side: int) -> torch.Tensor:
        """The smallest boxes round where boxes (batch, most, 4) come to lie, in or out."""
        xs, ys = boxes[..., [0, 2, 0, 2]], boxes[..., [1, 1, 3, 3]]
        corners = torch.stack([xs, ys], -1) - side / 2  # (batch, most, 4, 2)
        moved = torch.einsum("bij,bmcj->bmci", self.matrices, corners) + self.shifts[:, None, None]
        moved = moved + side / 2
        return torch.cat([moved.amin(2), moved.amax(2)], -1)

    def images(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 (batch, channels, side, side) as they come to lie, on grey."""
        return warp(images, torch.linalg.inv(self.matrices), self.shifts, "grey")


def moved(
    images: torch.Tensor, rows: torch.Tensor, recipe: TrainingSettings, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and labels cropped, laid on larger canvases and moved, as far as the recipe has it.

    uint8 (batch, channels, side, side) and rows to the same. Pixels are looked up once, for all
    changes together.
    """
    changes = [name for name in ("crop", "expand", "translate", *AFFINE) if getattr(recipe, name)]
    if not changes:
        return images, rows
    batch, _, side, _ = images.shape
    placement = Placement(torch.eye(2).repeat(batch, 1, 1), torch.zeros(batch, 2))
    if recipe.crop > 0:
        windows = _windows(rows, side, recipe.crop, generator)
        images, rows = _outlined(images, rows, windows)
        placement = placement.then(*_filling(windows, side))
    if recipe.expand > 0:
        placement = placement.then(*_smaller(batch, side, recipe.expand, generator))
    if changes[-1] not in ("crop", "expand"):
        inverse, shifts = affine(images, recipe, generator)
        placement = placement.then(torch.linalg.inv(inverse), shifts)
    rows = cut(placed(rows, placement.boxes(rows[..., BOX], side)), square(side))
    return placement.images(images), rows


def flipped(
    images: torch.Tensor, rows: torch.Tensor, recipe: TrainingSettings, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and labels mirrored, each with the probabilities of the recipe."""
    side = images.shape[2]
    for axis, probability in enumerate((recipe.fliplr, recipe.flipud)):
        chosen = drawn(len(images), probability, generator)
        images = mirrored(images, 3 - axis, chosen)
        first, second = rows[chosen, :, 1 + axis], rows[chosen, :, 3 + axis]
        rows = rows.clone()
        rows[chosen, :, 1 + axis], rows[chosen, :, 3 + axis] = side - second, side - first
    return images, rows


def _windows(
    rows: torch.Tensor, side: int, share: float, generator: torch.Generator
) -> torch.Tensor:
    """What is kept of each image, (batch, 4): of this share of them a part, of others all."""
    windows = square(side).repeat(len(rows), 1)
    chosen = drawn(len(rows), share, generator)
    windows[chosen] = crop_windows(rows[chosen], side, generator)
    return windows


def _outlined(
    images: torch.Tensor, rows: torch.Tensor, windows: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images grey outside windows (batch, 4), and the labels whose middles lie within."""
    inside = within(windows, images.shape[2], images.device)
    grey = torch.tensor(BARS, dtype=torch.uint8, device=images.device)
    windows = windows[:, None]
    rows = only(rows, has_centre(rows[..., BOX], windows))
    return images.where(inside, grey), placed(rows, clipped(rows[..., BOX], windows))


def _filling(windows: torch.Tensor, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Matrices and shifts that let windows (batch, 4) fill the image, their aspects kept."""
    sizes = windows[:, 2:] - windows[:, :2]
    gains = side / sizes.amax(1)
    middles = (windows[:, :2] + windows[:, 2:] - side) / 2
    return gains[:, None, None] * torch.eye(2), -gains[:, None] * middles


def _smaller(
    batch: int, side: int, share: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Matrices and shifts that lay this share of images on larger canvases, anywhere."""
    ratios, *places = torch.rand(3, batch, generator=generator)
    ratios = 1 + (CANVAS - 1) * ratios
    kept = torch.ones(batch, dtype=torch.bool)
    kept[drawn(batch, share, generator)] = False
    gains = (1 / ratios).masked_fill(kept, 1)
    room = side * (1 - gains)[:, None]
    return gains[:, None, None] * torch.eye(2), room * (torch.stack(places, 1) - 0.5)
