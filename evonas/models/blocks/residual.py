"""ResNet's two blocks."""

from typing import Any

from torch import nn

from evonas.models.blocks.residual_sum import ResidualSum
from evonas.models.blocks.split_attention import SplitAttention
from evonas.models.layers import ConvNormActivation, make_convolution


class Residual(ResidualSum):
    """Two convolutions added to what they are given (arXiv 1512.03385, figure 5, left).

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)). The
    first one carries the stride.

    Args:
        inner: Channels between the two.
        summed: Order, shortcut, attention, dropout, drop_path: see `ResidualSum`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        activation: str,
        inner: int,
        norm: str = "batch",
        **summed: Any,
    ) -> None:
        first = ConvNormActivation(in_channels, inner, kernel, stride, 1, activation, norm)
        last = make_convolution(inner, out_channels, kernel, bias=norm == "none")
        super().__init__(in_channels, stride, [first], last, activation, norm, **summed)


class Bottleneck(ResidualSum):
    """1x1 convolution, grouped convolution, 1x1 convolution, added to what they are given.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)).
    arXiv 1512.03385, figure 5, right; in groups arXiv 1611.05431, figure 3c; with split attention
    arXiv 2004.08955, figure 1.

    Args:
        inner: Channels of the convolution in the middle, in whole groups.
        groups: Of the convolution in the middle (ResNeXt's and ResNeSt's cardinality).
        radix: Versions of the split attention in the middle; 0 leaves a plain convolution there.
        stride_place: `first` puts the stride into the first convolution, as the paper has it,
            `middle` into the one in the middle. Split attention has a 3x3 average pooling for it,
            before or behind.
        summed: Order, shortcut, attention, dropout, drop_path: see `ResidualSum`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        activation: str,
        inner: int,
        groups: int = 1,
        radix: int = 0,
        stride_place: str = "middle",
        norm: str = "batch",
        **summed: Any,
    ) -> None:
        reduces_first = stride_place == "first"
        if radix:
            pool = [nn.AvgPool2d(3, stride, padding=1)] if stride > 1 else []
            split = SplitAttention(inner, kernel, groups, radix, activation, norm)
            middle = [*pool, split] if reduces_first else [split, *pool]
            strides = (1, 1)
        else:
            strides = (stride, 1) if reduces_first else (1, stride)
            middle = [
                ConvNormActivation(inner, inner, kernel, strides[1], groups, activation, norm)
            ]
        first = ConvNormActivation(in_channels, inner, 1, strides[0], 1, activation, norm)
        last = make_convolution(inner, out_channels, 1, bias=norm == "none")
        super().__init__(in_channels, stride, [first, *middle], last, activation, norm, **summed)
