"""Images mixed with each other, and their labels with them."""

from collections.abc import Mapping

import numpy as np
import torch

from evonas.tasks.detection.variation.box_rows import (
    BOX,
    WEIGHT,
    area,
    clipped,
    cut,
    is_seen,
    only,
    packed,
    placed,
)
from evonas.tasks.variation.mixing import Mix, Mixer, of_next

SLIVER_PX = 1  # that stays beside a window and says nothing of what is under it


def mixup(
    images: torch.Tensor, rows: torch.Tensor, alpha: float, generator: torch.Generator
) -> Mix:
    """Weighted means of two images, with the labels of both, each of its image's weight.

    The geometry is kept: nothing is resized, and boxes stay where they are (Zhang et al., arXiv
    1902.04103, 3.1; there the canvas is as large as the larger of two images, and these are equal
    squares). Weights are from Beta(alpha, alpha), for each image anew. uint8 (batch, channels,
    side, side) and rows to the same.
    """
    shares = _betas(len(images), alpha, generator)
    weights = shares.to(images.device)[:, None, None, None]
    floats = images.float()
    means = of_next(floats).lerp(floats, weights)
    both = [_weighed(rows, shares), _weighed(of_next(rows), 1 - shares)]
    return means.round_().to(torch.uint8), packed(torch.cat(both, 1))


def cutmix(
    images: torch.Tensor, rows: torch.Tensor, alpha: float, generator: torch.Generator
) -> Mix:
    """Each image with the same window of another, and the labels of what is seen of both.

    After arXiv 1905.04899, equations 1 and 2: λ is from Beta(alpha, alpha) and the window's sides
    are √(1 - λ) of the image's, for each image anew; the window lies within the image. Boxes of
    which too little is left are dropped, others are cut to what is left of them. Shapes as of
    `mixup`.
    """
    batch, _, side, _ = images.shape
    sizes = ((1 - _betas(batch, alpha, generator)).sqrt() * side).round()[:, None]
    starts = (torch.rand(batch, 2, generator=generator) * (side - sizes + 1)).floor()
    windows = torch.cat([starts, starts + sizes], 1)
    inside = within(windows, side, images.device)
    pasted = of_next(images).where(inside, images)
    labels = [_uncovered(rows, windows[:, None]), cut(of_next(rows), windows[:, None])]
    return pasted, packed(torch.cat(labels, 1))


# Setting to a mixer, which is given the setting `..._alpha`.
BOX_MIXERS: Mapping[str, Mixer] = {"mixup": mixup, "cutmix": cutmix}


def within(windows: torch.Tensor, side: int, device: torch.device) -> torch.Tensor:
    """Which pixels lie in the window of each image.

    (batch, 4), whole px, to bool (batch, 1, side, side).
    """
    pixels = torch.arange(side)
    columns, rows = (
        (pixels >= windows[:, [axis]]) & (pixels < windows[:, [axis + 2]]) for axis in (0, 1)
    )
    return rows.to(device)[:, None, :, None] & columns.to(device)[:, None, None, :]


def _uncovered(rows: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
    """The labels of which enough is left where windows (batch, 1, 4) cover them.

    A box is cut where a window covers it from side to side, up to one of its ends.
    """
    boxes = rows[..., BOX]
    covered = clipped(windows.expand_as(boxes), boxes)
    left = [_ends(boxes, covered, axis) for axis in (0, 1)]
    rest = torch.stack([left[0][0], left[1][0], left[0][1], left[1][1]], -1)
    return only(placed(rows, rest), is_seen(boxes, rest, area(boxes) - area(covered)))


def _ends(
    boxes: torch.Tensor, covered: torch.Tensor, axis: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where what is left of boxes begins and ends along an axis, (batch, most) each."""
    across = 1 - axis
    low, high = boxes[..., axis], boxes[..., axis + 2]
    first, last = covered[..., axis], covered[..., axis + 2]
    is_whole = (covered[..., across] <= boxes[..., across] + SLIVER_PX) & (
        covered[..., across + 2] >= boxes[..., across + 2] - SLIVER_PX
    )
    begins = last.where(is_whole & (first <= low) & (last > first), low)
    ends = first.where(is_whole & (last >= high) & (last > first), high)
    return begins.minimum(high), ends.maximum(low)


def _weighed(rows: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    weights = rows[..., WEIGHT:] * shares[:, None, None]
    return torch.cat([rows[..., :WEIGHT], weights], 2)


def _betas(count: int, alpha: float, generator: torch.Generator) -> torch.Tensor:
    """So many from Beta(alpha, alpha), by numpy as torch's own takes no generator."""
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, count)).float()
