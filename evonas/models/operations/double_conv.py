"""Two convolutions in place of a larger one."""

from torch import nn

from evonas.models.layers import ActivationConvNorm


class DoubleConv(nn.Sequential):
    """Two convolutions that see as much as one of twice the reach (arXiv 1512.00567, section 3.1).

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)). The
    first one carries the stride.

    Args:
        kernel: Side of both in pixels, odd.
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
        super().__init__(
            ActivationConvNorm(in_channels, out_channels, kernel, stride, 1, activation, norm),
            ActivationConvNorm(out_channels, out_channels, kernel, 1, 1, activation, norm),
        )
