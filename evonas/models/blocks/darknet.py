"""Darknet-53's unit."""

from typing import Any

from torch import nn

from evonas.models.layers import Block, ConvNormActivation, Skip


class Darknet(Block):
    """1x1 convolution to fewer channels and a convolution back; may be skipped around.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)). YOLOv3,
    arXiv 1804.02767, section 2.4 and table 1: activations behind both, none behind the sum.

    Args:
        inner: Channels between the two; 0 leaves the first convolution out.
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
        if inner:
            layers.append(ConvNormActivation(in_channels, inner, 1, **how))
        layers.append(ConvNormActivation(inner or in_channels, out_channels, kernel, stride, **how))
        super().__init__(layers, skip, drop_path)
