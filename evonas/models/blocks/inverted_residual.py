"""MobileNetV2's block, with MnasNet's attention."""

from torch import nn

from evonas.models.layers import Block, ConvNormActivation, SqueezeExcite


class InvertedResidual(Block):
    """1x1 expansion, depthwise convolution, attention, linear 1x1 projection.

    arXiv 1801.04381, section 3.3; attention between the last two, squeezed relative to the
    block's input (arXiv 1807.11626, figure 7).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        activation: str,
        expansion: int,
        se_ratio: float = 0,
        skip: bool = False,
    ) -> None:
        expanded = in_channels * expansion
        layers: list[nn.Module] = [
            ConvNormActivation(in_channels, expanded, 1, activation=activation),
            ConvNormActivation(expanded, expanded, kernel, stride, expanded, activation),
        ]
        if se_ratio:
            layers.append(SqueezeExcite(expanded, max(1, int(in_channels * se_ratio))))
        layers.append(ConvNormActivation(expanded, out_channels, 1))
        super().__init__(layers, skip)
