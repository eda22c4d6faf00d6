"""A convolution of each channel by itself."""

from torch import nn

from evonas.models.layers import ActivationConvNorm


class DepthwiseConv(nn.Sequential):
    """Activation, depthwise convolution, norm; a 1x1 convolution with norm if channels change.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)).

    Args:
        kernel: Side in pixels, odd.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        activation: str,
        norm: str,
        kernel: int,
    ) -> None:
        depthwise = (in_channels, in_channels, kernel, stride, in_channels)
        layers = [ActivationConvNorm(*depthwise, activation, norm)]
        if in_channels != out_channels:
            layers.append(ActivationConvNorm(in_channels, out_channels, 1, norm=norm))
        super().__init__(*layers)
