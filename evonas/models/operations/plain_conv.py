"""A convolution of all channels, or of groups of them."""

import math

from evonas.models.layers import ActivationConvNorm


class PlainConv(ActivationConvNorm):
    """Activation, convolution of all channels, norm (arXiv 1707.07012, appendix A).

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)).

    Args:
        kernel: Side in pixels, odd.
        groups: Each of which sees its own channels (arXiv 1611.05431, figure 3c): the largest
            number up to this one that divides the channels on both sides.
    """

    role = "operation"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        activation: str,
        norm: str,
        kernel: int,
        groups: int = 1,
    ) -> None:
        both = math.gcd(in_channels, out_channels)
        groups = max(count for count in range(1, groups + 1) if both % count == 0)
        super().__init__(in_channels, out_channels, kernel, stride, groups, activation, norm)
