"""A convolution along the rows, then one along the columns."""

from torch import nn

from evonas.models.layers import ActivationConvNorm, Extent


class AsymmetricConv(nn.Sequential):
    """1xk then kx1 convolution between 1x1 ones, each after an activation and before a norm.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)). The
    operation is NASNet's (arXiv 1707.07012, section 3.1); the 1x1 convolutions are in the code of
    AmoebaNet (arXiv 1802.01548), which leaves them out where the bottleneck would have no channel.

    Args:
        kernel: k in pixels, odd.
        bottleneck: Channels between the 1x1 convolutions, as a part of `out_channels`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        activation: str,
        norm: str,
        kernel: int,
        bottleneck: float,
    ) -> None:
        inner = int(out_channels * bottleneck)
        first, between = (inner, inner) if inner else (in_channels, out_channels)
        steps: list[tuple[int, int, Extent, Extent]] = [
            (first, between, (1, kernel), (1, stride)),
            (between, between, (kernel, 1), (stride, 1)),
        ]
        if inner:
            steps = [(in_channels, inner, 1, 1), *steps, (inner, out_channels, 1, 1)]
        super().__init__(*(ActivationConvNorm(*step, 1, activation, norm) for step in steps))
