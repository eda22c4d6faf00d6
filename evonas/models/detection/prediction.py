"""From maps to boxes and scores of points, the centres of all their cells.

Points count level by level, the finest first, and row by row in each. All numbers are at least
float32: half of that tells no pixels apart beyond 256.
"""

import torch
from torch import nn


class Prediction(nn.Conv2d):
    """A convolution that begins with the same output everywhere, nearly.

    (batch, in_channels, h, w) to (batch, out_channels, h, w).

    Args:
        first_bias: Its output before a training, with weights of deviation 0.01 (RetinaNet,
            arXiv 1708.02002, section 4.1).
        kernel: Odd.
    """

    role = "prediction"
    first_deviation = 0.01

    def __init__(
        self, in_channels: int, out_channels: int, first_bias: float, kernel: int = 1
    ) -> None:
        self.first_bias = first_bias
        super().__init__(in_channels, out_channels, kernel, padding=kernel // 2)

    def reset_parameters(self) -> None:
        """Weights as before a training."""
        assert self.bias is not None, "a prediction has a bias"
        nn.init.normal_(self.weight, std=self.first_deviation)
        nn.init.constant_(self.bias, self.first_bias)


class Points(nn.Module):
    """Maps of all levels as rows of points: (batch, c, h, w) each to (batch, points, c)."""

    def forward(self, *maps: torch.Tensor) -> torch.Tensor:
        """All points of all levels."""
        rows = [each.flatten(2).transpose(1, 2) for each in maps]
        return torch.cat(rows, 1)


class Priors(nn.Module):
    """Where points are: (1, points, 4), centre x, centre y, width, height of their cells in px.

    Args:
        strides: Of the maps, which are read for their sizes alone.
    """

    def __init__(self, strides: list[int]) -> None:
        super().__init__()
        self.strides = strides

    def forward(self, *maps: torch.Tensor) -> torch.Tensor:
        """The cells of maps (batch, channels, h, w)."""
        pairs = zip(maps, self.strides, strict=True)
        return torch.cat([cells(each, stride) for each, stride in pairs]).unsqueeze(0)


def cells(maps: torch.Tensor, stride: int) -> torch.Tensor:
    """Centre x, centre y, width and height in px of the cells of maps (batch, channels, h, w)."""
    height, width = maps.shape[2:]
    wide = torch.promote_types(maps.dtype, torch.float32)
    down = (torch.arange(height, device=maps.device, dtype=wide) + 0.5) * stride
    right = (torch.arange(width, device=maps.device, dtype=wide) + 0.5) * stride
    y, x = torch.meshgrid(down, right, indexing="ij")
    side = torch.full_like(x, stride)
    return torch.stack([x, y, side, side], -1).reshape(height * width, 4)


class Boxes(nn.Module):
    """Distances from points to the sides of boxes, in strides, as boxes in px.

    distances (batch, points, 4 * bins) and priors (1, points, 4) to (batch, points, 4): x1, y1,
    x2, y2. Sides count left, top, right, bottom.

    Args:
        bins: Of each side. A softmax over them is the probability of the distances 0, 1, ...,
            bins - 1, and the distance is their mean (generalised focal loss, arXiv 2006.04388,
            equation 6). Of one bin alone it is softplus of its number.
    """

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.bins = bins

    def forward(self, distances: torch.Tensor, priors: torch.Tensor) -> torch.Tensor:
        """The box of each point."""
        reach = self._strides(distances.to(priors.dtype)) * priors[:, :, 2:3]
        centres = priors[:, :, :2]
        return torch.cat([centres - reach[:, :, :2], centres + reach[:, :, 2:]], 2)

    def _strides(self, distances: torch.Tensor) -> torch.Tensor:
        """(batch, points, 4): how many strides each side is away."""
        if self.bins == 1:
            return nn.functional.softplus(distances)
        batch, points = distances.shape[:2]
        shares = distances.reshape(batch, points, 4, self.bins).softmax(3)
        bins = torch.arange(self.bins, device=distances.device, dtype=distances.dtype)
        return (shares * bins).sum(3)


class Scores(nn.Module):
    """Logits as probabilities of each class by itself; any shape to the same."""

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """(batch, points, classes) to 0..1."""
        return logits.sigmoid()
