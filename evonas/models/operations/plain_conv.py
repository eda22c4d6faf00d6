"""A full convolution."""

from evonas.models.layers import ActivationConvNorm


class PlainConv(ActivationConvNorm):
    """Activation, convolution of all channels, norm (arXiv 1707.07012, appendix A).

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
        super().__init__(
            in_channels, out_channels, kernel, stride, activation=activation, norm=norm
        )
