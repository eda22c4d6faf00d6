"""SqueezeNet's module."""

from typing import Any

from torch import nn

from evonas.models.chain_layers import Concat
from evonas.models.layers import Block, ConvNormActivation, Skip


class Fire(Block):
    """1x1 convolution to few channels, then 1x1 and larger ones beside each other.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)).
    SqueezeNet, arXiv 1602.07360, section 3.2 and figure 1: each of the two gives half of the
    channels. It may be skipped around (section 6, "simple bypass"). Where the stride is not 1,
    3x3 max pooling comes first.

    Args:
        out_channels: At least 2.
        kernel: Of the larger convolution.
        inner: Channels of the first convolution; 0 leaves it out.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        activation: str,
        inner: int,
        skip: Skip = False,
        norm: str = "batch",
        drop_path: float = 0.0,
    ) -> None:
        how: dict[str, Any] = {"activation": activation, "norm": norm}
        layers: list[nn.Module] = []
        if stride != 1:
            layers.append(nn.MaxPool2d(3, stride, padding=1))
        if inner:
            layers.append(ConvNormActivation(in_channels, inner, 1, **how))
        half = out_channels // 2
        expands: list[nn.Module] = [
            ConvNormActivation(inner or in_channels, channels, side, **how)
            for channels, side in ((half, 1), (out_channels - half, kernel))
        ]
        super().__init__([*layers, Concat(expands)], skip, drop_path)
