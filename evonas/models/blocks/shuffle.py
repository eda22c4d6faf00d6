"""ShuffleNetV2's unit."""

from typing import Any

import torch
from torch import nn

from evonas.models.layers import ChannelShuffle, ConvNormActivation
from evonas.models.memory_order import split_channels


class Shuffle(nn.Module):
    """Works on half of the channels, or on two copies of all; then mixes the halves.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)).
    ShuffleNetV2, arXiv 1807.11164, section 3.2 and figure 3: where shapes stay (c), the first half
    of the channels passes on unchanged; else (d) a depthwise and a 1x1 convolution make it of all
    of them. The second half goes through 1x1, depthwise and 1x1 convolution.

    Args:
        out_channels: At least 2; an odd number is not mixed.
        kernel: Of the depthwise convolutions.
    """

    role = "unit"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        activation: str,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        how: dict[str, Any] = {"activation": activation, "norm": norm}
        self.passed = out_channels // 2 if stride == 1 and in_channels == out_channels else 0
        given, half = in_channels - self.passed, out_channels - out_channels // 2
        self.short: nn.Module = nn.Identity()
        if not self.passed:
            self.short = nn.Sequential(
                ConvNormActivation(
                    in_channels, in_channels, kernel, stride, in_channels, norm=norm
                ),
                ConvNormActivation(in_channels, out_channels // 2, 1, **how),
            )
        self.long = nn.Sequential(
            ConvNormActivation(given, half, 1, **how),
            ConvNormActivation(half, half, kernel, stride, half, norm=norm),
            ConvNormActivation(half, half, 1, **how),
        )
        self.mix: nn.Module = nn.Identity() if out_channels % 2 else ChannelShuffle(2)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        first, second = maps, maps
        if self.passed:
            first, second = split_channels(maps, self.passed)
        mixed: torch.Tensor = self.mix(torch.cat([self.short(first), self.long(second)], 1))
        return mixed
