"""A plain convolution as a block."""

from torch import nn

from evonas.models.layers import Attention, Block, ConvNormActivation, Skip, SqueezeExcite


class Conv(Block):
    """Convolution with norm and activation, then attention; may be skipped around.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)).

    Args:
        groups: Of the convolution; both numbers of channels are multiples of it.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        activation: str,
        groups: int = 1,
        attention: Attention | None = None,
        skip: Skip = False,
        norm: str = "batch",
        drop_path: float = 0.0,
    ) -> None:
        layers: list[nn.Module] = [
            ConvNormActivation(in_channels, out_channels, kernel, stride, groups, activation, norm)
        ]
        if attention:
            layers.append(SqueezeExcite(out_channels, **attention))
        super().__init__(layers, skip, drop_path)
