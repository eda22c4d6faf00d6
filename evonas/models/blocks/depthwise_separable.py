"""MobileNet's block with a linear end, as MnasNet uses it."""

from torch import nn

from evonas.models.layers import Block, ConvNormActivation, SqueezeExcite


class DepthwiseSeparable(Block):
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
        layers: list[nn.Module] = [
            ConvNormActivation(in_channels, in_channels, kernel, stride, in_channels, activation)
        ]
        if se_ratio:
            layers.append(SqueezeExcite(in_channels, max(1, int(in_channels * se_ratio))))
        layers.append(ConvNormActivation(in_channels, out_channels, 1))
        super().__init__(layers, skip)
