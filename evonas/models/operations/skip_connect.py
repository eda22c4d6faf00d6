"""A connection without an operation."""

from torch import nn

from evonas.models.layers import ActivationConvNorm


class SkipConnect(nn.Sequential):
    """Maps unchanged, or activation, 1x1 convolution, norm if channels or size change.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)); the
    convolution as in the code of NASNet (arXiv 1707.07012) and AmoebaNet (arXiv 1802.01548).
    """

    role = "passing"

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, activation: str, norm: str
    ) -> None:
        changes = stride != 1 or in_channels != out_channels
        layers = [ActivationConvNorm(in_channels, out_channels, 1, stride, 1, activation, norm)]
        super().__init__(*(layers if changes else []))
