"""MobileNetV2's block, with MnasNet's attention."""

from torch import nn

from evonas.models.layers import Attention, Block, ConvNormActivation, Skip, SqueezeExcite


class InvertedResidual(Block):
    """1x1 expansion, depthwise convolution, attention, linear 1x1 projection.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)).
    arXiv 1801.04381, section 3.3; attention between the last two as in arXiv 1807.11626.

    Args:
        expanded: Channels of the depthwise convolution.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        activation: str,
        expanded: int,
        attention: Attention | None = None,
        skip: Skip = False,
        norm: str = "batch",
        drop_path: float = 0.0,
    ) -> None:
        layers: list[nn.Module] = [
            ConvNormActivation(in_channels, expanded, 1, activation=activation, norm=norm),
            ConvNormActivation(expanded, expanded, kernel, stride, expanded, activation, norm),
        ]
        if attention:
            layers.append(SqueezeExcite(expanded, **attention))
        layers.append(ConvNormActivation(expanded, out_channels, 1, norm=norm))
        super().__init__(layers, skip, drop_path)
