"""Maximum, average or root mean square of a neighbourhood."""

import torch
from torch import nn

from evonas.models.layers import ConvNormActivation, LpPool


class Pooling(nn.Sequential):
    """Maximum, average or root mean square of a window; 1x1 convolution and norm for new channels.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)). Pixels
    outside the map do not count. A window of side 2 reaches right and down. The convolution is
    that of the code of AmoebaNet (arXiv 1802.01548).

    Args:
        activation: Not used: there is none.
        kind: max, average or l2.
        kernel: Side of the window in pixels: 2 or odd.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        activation: str,
        norm: str,
        kind: str,
        kernel: int,
    ) -> None:
        layers: list[nn.Module] = [EdgeTwice(stride)] if kernel == 2 else []
        padding = kernel // 2 if kernel % 2 else 0
        if kind == "max":
            layers.append(nn.MaxPool2d(kernel, stride, padding))
        elif kind == "average":
            layers.append(nn.AvgPool2d(kernel, stride, padding, count_include_pad=False))
        else:
            layers.append(LpPool(2, kernel, stride, padding, counts_padding=False))
        if in_channels != out_channels:
            layers.append(ConvNormActivation(in_channels, out_channels, 1, norm=norm))
        super().__init__(*layers)


class EdgeTwice(nn.Module):
    """The last row and column once more, where a window of 2x2 pixels would reach beyond them.

    Repeated pixels change neither maximum nor average, so it is as if the window ended there.

    Args:
        stride: Of the windows, in pixels.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, channels, h, w) to (batch, channels, h or h + 1, w or w + 1)."""
        down, right = (int((side - 1) % self.stride == 0) for side in maps.shape[2:])
        repeated = (0, right, 0, down)
        return nn.functional.pad(maps, repeated, mode="replicate") if any(repeated) else maps
