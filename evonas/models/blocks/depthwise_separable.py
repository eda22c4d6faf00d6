"""MobileNet's block with a linear end, as MnasNet uses it."""

import torch
from torch import nn

from evonas.models.layers import ConvNormActivation, SqueezeExcite


class DepthwiseSeparable(nn.Module):
    """Depthwise convolution, attention, linear 1x1 convolution (arXiv 1704.04861, section 3.1)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        activation: str,
        se_ratio: float = 0,
        skip: bool = False,
    ) -> None:
        super().__init__()
        self.skip = skip
        layers: list[nn.Module] = [
            ConvNormActivation(in_channels, in_channels, kernel, stride, in_channels, activation)
        ]
        if se_ratio:
            layers.append(SqueezeExcite(in_channels, max(1, int(in_channels * se_ratio))))
        layers.append(ConvNormActivation(in_channels, out_channels, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, in_channels, height, width) to (batch, out_channels, height / stride, ...)."""
        out: torch.Tensor = self.layers(maps)
        return maps + out if self.skip else out
