"""MobileNetV2's block, with MnasNet's attention."""

from torch import nn

from evonas.models.layers import Attention, Block, ConvNormActivation, SqueezeExcite


class InvertedResidual(Block):
    """1x1 expansion, depthwise convolution, attention, linear 1x1 projection.

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
        skip: bool = False,
    ) -> None:
        layers: list[nn.Module] = [
            ConvNormActivation(in_channels, expanded, 1, activation=activation),
            ConvNormActivation(expanded, expanded, kernel, stride, expanded, activation),
        ]
        if attention:
            layers.append(SqueezeExcite(expanded, **attention))
        layers.append(ConvNormActivation(expanded, out_channels, 1))
        super().__init__(layers, skip)
