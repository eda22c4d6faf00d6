"""Mosaic: four images of the batch round a point (Bochkovskiy et al., arXiv 2004.10934, 3.3)."""

import torch
from torch.nn import functional

from evonas.settings import TrainingSettings
from evonas.tasks.detection.variation.box_rows import BOX, NOTHING, cut, packed, placed

CENTRES = (0.3, 0.7)  # where the four meet, as shares of the side
TILES = 4  # top left, top right, bottom left, bottom right


def mosaics(
    images: torch.Tensor,
    rows: torch.Tensor,
    recipe: TrainingSettings,
    done: float,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The batch with some of its images made of four, itself and three others.

    uint8 (batch, channels, side, side), and rows, to the same. Each of the four is scaled so that
    it fills its quarter, or less so, up to its full size, and cut off anywhere.

    Args:
        done: The share of the training that is done, 0..1.
    """
    if recipe.mosaic == 0 or is_closed(recipe, done):
        return images, rows
    chosen = (torch.rand(len(images), generator=generator) < recipe.mosaic).nonzero()[:, 0]
    if len(chosen) == 0:
        return images, rows
    sources = torch.randint(len(images), (len(chosen), TILES), generator=generator)
    sources[:, 0] = chosen
    windows, starts, gains = _tiles(len(chosen), images.shape[2], generator)
    made = _drawn(images, sources, windows, starts, gains)
    labels = _labels(rows[sources], windows, starts, gains)
    missing = labels.shape[1] - rows.shape[1]
    rows = functional.pad(rows, (0, 0, 0, max(missing, 0)), value=NOTHING)
    rows[chosen] = functional.pad(labels, (0, 0, 0, max(-missing, 0)), value=NOTHING)
    return images.index_copy(0, chosen.to(images.device), made), packed(rows)


def is_closed(recipe: TrainingSettings, done: float) -> bool:
    """Whether this part of the training, 0..1, sees images as they are.

    >>> [is_closed(TrainingSettings(epochs=20, close_mosaic=5), done) for done in (0.7, 0.8)]
    [False, True]
    """
    last = recipe.close_mosaic
    return done > 1 - (last if last < 1 else last / recipe.epochs)


def _tiles(
    count: int, side: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Windows (count, 4, 4) of the four in px, where they begin in their images, and gains.

    Starts (count, 4, 2) in px of the images, gains (count, 4, 1).
    """
    low, high = (round(share * side) for share in CENTRES)
    x, y = torch.randint(low, high + 1, (2, count), generator=generator).float()
    none, all_ = torch.zeros(count), torch.full((count,), float(side))
    corners = [(none, none, x, y), (x, none, all_, y), (none, y, x, all_), (x, y, all_, all_)]
    windows = torch.stack([torch.stack(tile, 1) for tile in corners], 1)
    sizes = windows[..., 2:] - windows[..., :2]
    least = sizes.amax(2, keepdim=True) / side
    gains = least + (1 - least) * torch.rand(count, TILES, 1, generator=generator)
    room = (side - sizes / gains).clamp(min=0)
    return windows, room * torch.rand(count, TILES, 2, generator=generator), gains


def _drawn(
    images: torch.Tensor,
    sources: torch.Tensor,
    windows: torch.Tensor,
    starts: torch.Tensor,
    gains: torch.Tensor,
) -> torch.Tensor:
    """Mosaics (count, channels, side, side), between pixels bilinear.

    All images lie below each other as one, so that each pixel is looked up once.
    """
    batch, channels, side, _ = images.shape
    count = len(sources)
    pixels = torch.arange(side) + 0.5
    # Where each pixel along an axis is in the image of its tile, (count, 4, side).
    across, down = (
        (starts[..., axis, None] + (pixels - windows[..., axis, None]) / gains - 0.5)
        .clamp(0, side - 1)
        .to(images.device)
        for axis in (0, 1)
    )
    down = down + (sources * side).to(images.device)[..., None]
    middle = windows[:, 0, 2:].to(images.device)
    pixels = pixels.to(images.device)
    right = pixels >= middle[:, :1]  # (count, side), by column
    low = pixels >= middle[:, 1:]
    above, beneath = (across[:, tile + 1].where(right, across[:, tile]) for tile in (0, 2))
    xs = beneath[:, None].where(low[..., None], above[:, None])
    first, second = (down[:, tile + 2].where(low, down[:, tile]) for tile in (0, 1))
    ys = second[..., None].where(right[:, None], first[..., None])
    grid = torch.stack([xs * (2 / (side - 1)) - 1, ys * (2 / (batch * side - 1)) - 1], -1)
    below = images.transpose(0, 1).reshape(1, channels, batch * side, side).float()
    drawn = functional.grid_sample(below, grid.view(1, count * side, side, 2), align_corners=True)
    drawn = drawn.round_().to(torch.uint8).view(channels, count, side, side)
    return drawn.transpose(0, 1).contiguous()


def _labels(
    rows: torch.Tensor, windows: torch.Tensor, starts: torch.Tensor, gains: torch.Tensor
) -> torch.Tensor:
    """Labels (count, 4, most, 6) of the images as those of the mosaics, (count, 4 x most, 6)."""
    starts, corners = (
        torch.cat([point] * 2, 2)[:, :, None] for point in (starts, windows[..., :2])
    )
    boxes = (rows[..., BOX] - starts) * gains[:, :, None] + corners
    return cut(placed(rows, boxes), windows[:, :, None]).flatten(1, 2)
