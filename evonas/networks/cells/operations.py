"""Operations: what a cell applies to one state. A new one is a line here, and perhaps a module.

An operation's module is called with `in_channels, out_channels, stride, activation, norm` and with
the arguments in the table. It takes (batch, in_channels, h, w) to (batch, out_channels,
ceil(h / stride), ceil(w / stride)).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Operation(NamedTuple):
    """A name in `models.MODULES`, and the arguments that all of the operation's copies share."""

    module: str
    arguments: Mapping[str, Any]


def _separable(kernel: int, **more: Any) -> Operation:
    """One separable convolution, where NASNet has two in a row."""
    return Operation("SeparableConv", {"kernel": kernel, "repeats": 1, **more})


# Separable convolutions are NASNet's, two in a row, unless they are `single`; those with an
# activation between depthwise and pointwise convolution, and those that begin with the pointwise
# one, are single too.
OPERATIONS: Mapping[str, Operation] = {
    "none": Operation("Zero", {}),
    "skip_connect": Operation("SkipConnect", {}),
    "conv_1x1": Operation("PlainConv", {"kernel": 1}),
    "conv_3x3": Operation("PlainConv", {"kernel": 3}),
    "conv_5x5": Operation("PlainConv", {"kernel": 5}),
    "conv_7x7": Operation("PlainConv", {"kernel": 7}),
    "conv_3x3_3x3": Operation("DoubleConv", {"kernel": 3}),
    "group_conv_3x3": Operation("PlainConv", {"kernel": 3, "groups": 4}),
    "group_conv_5x5": Operation("PlainConv", {"kernel": 5, "groups": 4}),
    "conv_1x3_3x1": Operation("AsymmetricConv", {"kernel": 3, "bottleneck": 3 / 8}),
    "conv_1x7_7x1": Operation("AsymmetricConv", {"kernel": 7, "bottleneck": 1 / 4}),
    "dw_conv_3x3": Operation("DepthwiseConv", {"kernel": 3}),
    "dw_conv_5x5": Operation("DepthwiseConv", {"kernel": 5}),
    "dw_conv_7x7": Operation("DepthwiseConv", {"kernel": 7}),
    "sep_conv_3x3": Operation("SeparableConv", {"kernel": 3}),
    "sep_conv_5x5": Operation("SeparableConv", {"kernel": 5}),
    "sep_conv_7x7": Operation("SeparableConv", {"kernel": 7}),
    "sep_conv_3x3_single": _separable(3),
    "sep_conv_5x5_single": _separable(5),
    "sep_conv_7x7_single": _separable(7),
    "sep_conv_3x3_activated": _separable(3, middle_activation=True),
    "sep_conv_5x5_activated": _separable(5, middle_activation=True),
    "sep_conv_7x7_activated": _separable(7, middle_activation=True),
    "sep_conv_3x3_reversed": _separable(3, order="pointwise_first"),
    "sep_conv_5x5_reversed": _separable(5, order="pointwise_first"),
    "sep_conv_7x7_reversed": _separable(7, order="pointwise_first"),
    "dil_conv_3x3": _separable(3, dilation=2),
    "dil_conv_5x5": _separable(5, dilation=2),
    "max_pool_2x2": Operation("Pooling", {"kind": "max", "kernel": 2}),
    "max_pool_3x3": Operation("Pooling", {"kind": "max", "kernel": 3}),
    "max_pool_5x5": Operation("Pooling", {"kind": "max", "kernel": 5}),
    "max_pool_7x7": Operation("Pooling", {"kind": "max", "kernel": 7}),
    "avg_pool_2x2": Operation("Pooling", {"kind": "average", "kernel": 2}),
    "avg_pool_3x3": Operation("Pooling", {"kind": "average", "kernel": 3}),
    "avg_pool_5x5": Operation("Pooling", {"kind": "average", "kernel": 5}),
    "avg_pool_7x7": Operation("Pooling", {"kind": "average", "kernel": 7}),
    "l2_pool_2x2": Operation("Pooling", {"kind": "l2", "kernel": 2}),
    "l2_pool_3x3": Operation("Pooling", {"kind": "l2", "kernel": 3}),
}
