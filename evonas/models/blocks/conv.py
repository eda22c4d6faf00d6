"""A plain convolution as a block."""

from torch import nn

from evonas.models.layers import Block, ConvNormActivation, SqueezeExcite


class Conv(Block):
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
        layers: list[nn.Module] = [
            ConvNormActivation(in_channels, out_channels, kernel, stride, activation=activation)
        ]
        if se_ratio:
            layers.append(SqueezeExcite(out_channels, max(1, int(in_channels * se_ratio))))
        super().__init__(layers, skip)
