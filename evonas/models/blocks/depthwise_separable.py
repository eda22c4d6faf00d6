"""MobileNet's block."""

from torch import nn

from evonas.models.layers import Attention, Block, ConvNormActivation, Skip, SqueezeExcite


class DepthwiseSeparable(Block):
    """Depthwise convolution, attention, 1x1 convolution (arXiv 1704.04861, section 3.1).

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)).

    Args:
        linear: Without activation at the end, as MnasNet has it; MobileNetV1 has one.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        activation: str,
        attention: Attention | None = None,
        skip: Skip = False,
        linear: bool = True,
        norm: str = "batch",
        drop_path: float = 0.0,
    ) -> None:
        depthwise = (in_channels, in_channels, kernel, stride, in_channels)
        layers: list[nn.Module] = [ConvNormActivation(*depthwise, activation, norm)]
        if attention:
            layers.append(SqueezeExcite(in_channels, **attention))
        end = None if linear else activation
        layers.append(ConvNormActivation(in_channels, out_channels, 1, activation=end, norm=norm))
        super().__init__(layers, skip, drop_path)
