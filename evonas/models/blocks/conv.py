"""A plain convolution as a block."""

import torch
from torch import nn

from evonas.models.layers import ConvNormActivation, SqueezeExcite


class Conv(nn.Module):
    """Convolution with norm and activation, then attention; may be skipped around."""

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
            ConvNormActivation(in_channels, out_channels, kernel, stride, activation=activation)
        ]
        if se_ratio:
            layers.append(SqueezeExcite(out_channels, max(1, int(in_channels * se_ratio))))
        self.layers = nn.Sequential(*layers)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, in_channels, height, width) to (batch, out_channels, height / stride, ...)."""
        out: torch.Tensor = self.layers(maps)
        return maps + out if self.skip else out
