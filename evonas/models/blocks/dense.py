"""DenseNet's layer, with the transition in front of a stage's first."""

import torch
from torch import nn

from evonas.models.layers import NormActivationConv


class Transition(nn.Sequential):
    """Norm, activation, 1x1 convolution, pooling (arXiv 1608.06993, section 3, "Pooling layers").

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)): a pixel
    of the result is the mean of as many as there are of a square of stride x stride.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, activation: str, norm: str = "batch"
    ) -> None:
        layers: list[nn.Module] = [
            NormActivationConv(in_channels, out_channels, 1, activation=activation, norm=norm)
        ]
        if stride != 1:
            layers.append(nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False))
        super().__init__(*layers)


class Dense(nn.Module):
    """Concatenates the maps it is given and the new ones it makes of them.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)).
    arXiv 1608.06993, equation 2: norm, activation and convolution, in front of which a 1x1
    convolution may narrow the maps (DenseNet-B). A transition comes first where the stride is 2
    or not all channels are kept (DenseNet-C): out_channels - growth are.

    Args:
        growth: New channels.
        inner: Channels between the 1x1 convolution and the other; 0 leaves the first out.
        dropout: Probability of leaving a new pixel out, in training.
    """

    role = "unit"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        activation: str,
        growth: int,
        inner: int,
        dropout: float = 0.0,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        kept = out_channels - growth
        self.transition: nn.Module = nn.Identity()
        if stride != 1 or kept != in_channels:
            self.transition = Transition(in_channels, kept, stride, activation, norm)
        layers: list[nn.Module] = []
        if inner:
            layers.append(NormActivationConv(kept, inner, 1, activation=activation, norm=norm))
        layers.append(NormActivationConv(inner or kept, growth, kernel, 1, 1, activation, norm))
        if dropout:
            layers.append(nn.Dropout(dropout))
        self.layers = nn.Sequential(*layers)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        maps = self.transition(maps)
        return torch.cat([maps, self.layers(maps)], 1)
