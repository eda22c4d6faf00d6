"""Operations: what a cell applies to one state. A new one is a file here and a line below.

An operation is called with `in_channels, out_channels, stride, activation, norm` and with its own
arguments from the table. It takes (batch, in_channels, h, w) to (batch, out_channels,
ceil(h / stride), ceil(w / stride)). Its source is copied into exported models, so it imports
torch and `evonas.models` only.
"""

from collections.abc import Mapping
from typing import Any

from torch import nn

from evonas.models.operations.asymmetric_conv import AsymmetricConv
from evonas.models.operations.depthwise_conv import DepthwiseConv
from evonas.models.operations.double_conv import DoubleConv
from evonas.models.operations.plain_conv import PlainConv
from evonas.models.operations.pooling import Pooling
from evonas.models.operations.separable_conv import SeparableConv
from evonas.models.operations.skip_connect import SkipConnect
from evonas.models.operations.zero import Zero

POINTWISE_FIRST = {"order": "pointwise_first"}

# Name to the class and its own arguments. Separable convolutions are NASNet's, two in a row,
# unless they are `single`; those with an activation between depthwise and pointwise convolution,
# and those that begin with the pointwise one, are single too.
OPERATIONS: Mapping[str, tuple[type[nn.Module], Mapping[str, Any]]] = {
    "none": (Zero, {}),
    "skip_connect": (SkipConnect, {}),
    "conv_1x1": (PlainConv, {"kernel": 1}),
    "conv_3x3": (PlainConv, {"kernel": 3}),
    "conv_5x5": (PlainConv, {"kernel": 5}),
    "conv_7x7": (PlainConv, {"kernel": 7}),
    "conv_3x3_3x3": (DoubleConv, {"kernel": 3}),
    "group_conv_3x3": (PlainConv, {"kernel": 3, "groups": 4}),
    "group_conv_5x5": (PlainConv, {"kernel": 5, "groups": 4}),
    "conv_1x3_3x1": (AsymmetricConv, {"kernel": 3, "bottleneck": 3 / 8}),
    "conv_1x7_7x1": (AsymmetricConv, {"kernel": 7, "bottleneck": 1 / 4}),
    "dw_conv_3x3": (DepthwiseConv, {"kernel": 3}),
    "dw_conv_5x5": (DepthwiseConv, {"kernel": 5}),
    "dw_conv_7x7": (DepthwiseConv, {"kernel": 7}),
    "sep_conv_3x3": (SeparableConv, {"kernel": 3}),
    "sep_conv_5x5": (SeparableConv, {"kernel": 5}),
    "sep_conv_7x7": (SeparableConv, {"kernel": 7}),
    "sep_conv_3x3_single": (SeparableConv, {"kernel": 3, "repeats": 1}),
    "sep_conv_5x5_single": (SeparableConv, {"kernel": 5, "repeats": 1}),
    "sep_conv_7x7_single": (SeparableConv, {"kernel": 7, "repeats": 1}),
    "sep_conv_3x3_activated": (
        SeparableConv,
        {"kernel": 3, "repeats": 1, "middle_activation": True},
    ),
    "sep_conv_5x5_activated": (
        SeparableConv,
        {"kernel": 5, "repeats": 1, "middle_activation": True},
    ),
    "sep_conv_7x7_activated": (
        SeparableConv,
        {"kernel": 7, "repeats": 1, "middle_activation": True},
    ),
    "sep_conv_3x3_reversed": (SeparableConv, {"kernel": 3, "repeats": 1, **POINTWISE_FIRST}),
    "sep_conv_5x5_reversed": (SeparableConv, {"kernel": 5, "repeats": 1, **POINTWISE_FIRST}),
    "sep_conv_7x7_reversed": (SeparableConv, {"kernel": 7, "repeats": 1, **POINTWISE_FIRST}),
    "dil_conv_3x3": (SeparableConv, {"kernel": 3, "repeats": 1, "dilation": 2}),
    "dil_conv_5x5": (SeparableConv, {"kernel": 5, "repeats": 1, "dilation": 2}),
    "max_pool_2x2": (Pooling, {"kind": "max", "kernel": 2}),
    "max_pool_3x3": (Pooling, {"kind": "max", "kernel": 3}),
    "max_pool_5x5": (Pooling, {"kind": "max", "kernel": 5}),
    "max_pool_7x7": (Pooling, {"kind": "max", "kernel": 7}),
    "avg_pool_2x2": (Pooling, {"kind": "average", "kernel": 2}),
    "avg_pool_3x3": (Pooling, {"kind": "average", "kernel": 3}),
    "avg_pool_5x5": (Pooling, {"kind": "average", "kernel": 5}),
    "avg_pool_7x7": (Pooling, {"kind": "average", "kernel": 7}),
    "l2_pool_2x2": (Pooling, {"kind": "l2", "kernel": 2}),
    "l2_pool_3x3": (Pooling, {"kind": "l2", "kernel": 3}),
}
