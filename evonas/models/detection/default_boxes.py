"""What SSD is made of: boxes of fixed sizes on each map, and how they become those of things.

Points count level by level, the finest first, cell by cell, and box by box in each. All numbers of
boxes are at least float32.
"""

import torch
from torch import nn


class L2Norm(nn.Module):
    """Channels of each pixel at length 1, times a trained scale for each channel.

    (batch, channels, h, w) to the same shape (ParseNet, arXiv 1506.04579, section 3.3; SSD, arXiv
    1512.02325, section 3.1, begins with scales of 20).
    """

    first_scale = 20.0
    least = 1e-10  # in place of the square of less

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), self.first_scale))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps that are all 0 stay so."""
        length = (maps.pow(2).sum((1,), keepdim=True) + self.least).pow(0.5)
        return maps / length * self.scale.reshape(1, -1, 1, 1)


class AtLeast(nn.Module):
    """Maps with zeros at the right and below, if they have fewer pixels a side than that.

    (batch, channels, h, w) to (batch, channels, max(h, side), max(w, side)): batches of a training
    may be of smaller images than those that a window fits.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Others are as they are."""
        height, width = maps.shape[2:]
        if min(height, width) >= self.side:
            return maps
        missing = (0, max(0, self.side - width), 0, max(0, self.side - height))
        return nn.functional.pad(maps, missing)


class DefaultBoxes(nn.Module):
    """Boxes around the centres of all cells: (1, points, 4), centre x, y, width, height in px.

    SSD, arXiv 1512.02325, section 2.2: of a map of f x f cells, the centre of cell i is at
    (i + 0.5) / f of the image's side.

    Args:
        sizes: Of each level, width and height of each box as shares of those of an image.
    """

    def __init__(self, sizes: list[list[list[float]]]) -> None:
        super().__init__()
        self.sizes = sizes

    def forward(self, images: torch.Tensor, *maps: torch.Tensor) -> torch.Tensor:
        """Images and maps (batch, channels, h, w) are read for their sizes alone."""
        pairs = zip(maps, self.sizes, strict=True)
        return torch.cat([self._level(images, *pair) for pair in pairs]).unsqueeze(0)

    def _level(
        self, images: torch.Tensor, maps: torch.Tensor, sizes: list[list[float]]
    ) -> torch.Tensor:
        wide = torch.promote_types(maps.dtype, torch.float32)
        (rows, columns), (height, width) = maps.shape[2:], images.shape[2:]
        down = (torch.arange(rows, device=maps.device, dtype=wide) + 0.5) * (height / rows)
        right = (torch.arange(columns, device=maps.device, dtype=wide) + 0.5) * (width / columns)
        y, x = torch.meshgrid(down, right, indexing="ij")
        boxes = [
            torch.stack([x, y, torch.full_like(x, w * width), torch.full_like(y, h * height)], -1)
            for w, h in sizes
        ]
        return torch.stack(boxes, 2).reshape(rows * columns * len(sizes), 4)


class BoxPoints(nn.Module):
    """Maps of all levels as rows of points, several a cell.

    (batch, boxes * values, h, w) each to (batch, points, values).

    Args:
        boxes: How many each level has in a cell.
    """

    def __init__(self, boxes: list[int]) -> None:
        super().__init__()
        self.boxes = boxes

    def forward(self, *maps: torch.Tensor) -> torch.Tensor:
        """All points of all levels."""
        return torch.cat([self._rows(*pair) for pair in zip(maps, self.boxes, strict=True)], 1)

    def _rows(self, maps: torch.Tensor, boxes: int) -> torch.Tensor:
        batch, channels, height, width = maps.shape
        cells = maps.flatten(2).transpose(1, 2)
        return cells.reshape(batch, height * width * boxes, channels // boxes)


class OffsetBoxes(nn.Module):
    """How far boxes are from default ones, as boxes in px.

    offsets (batch, points, 4) and priors (1, points, 4) to (batch, points, 4): x1, y1, x2, y2. The
    inverse of SSD's equation 2 (arXiv 1512.02325), with variances: centres move by 0.1 of the
    default box, sizes change by e^0.2, for an offset of 1.
    """

    centre, size = 0.1, 0.2

    def forward(self, offsets: torch.Tensor, priors: torch.Tensor) -> torch.Tensor:
        """The box of each point."""
        raw = offsets.to(priors.dtype)
        centres = priors[:, :, :2] + raw[:, :, :2] * self.centre * priors[:, :, 2:]
        half = (raw[:, :, 2:] * self.size).exp() * priors[:, :, 2:] / 2
        return torch.cat([centres - half, centres + half], 2)


class ClassScores(nn.Module):
    """Probabilities of classes of which one is true, the background first and left out.

    (batch, points, classes + 1) to (batch, points, classes).
    """

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """0..1."""
        return logits.softmax(2)[:, :, 1:]
