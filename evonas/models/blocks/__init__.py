"""Blocks: what a stage repeats. A new one is a file here and a line below.

A block is called with `in_channels, out_channels, kernel, stride, activation, attention, skip`
and with its own arguments, which come from its own keys in the space file (`BLOCK_KEYS`). Its
source is copied into exported models, so it imports torch and `evonas.models` only.
"""

from collections.abc import Mapping

from torch import nn

from evonas.models.blocks.conv import Conv
from evonas.models.blocks.depthwise_separable import DepthwiseSeparable
from evonas.models.blocks.inverted_residual import InvertedResidual

BLOCKS: Mapping[str, type[nn.Module]] = {
    "conv": Conv,
    "depthwise_separable": DepthwiseSeparable,
    "inverted_residual": InvertedResidual,
}

# Keys that only some blocks take; a space keeps their genes active with `when`.
BLOCK_KEYS: Mapping[str, tuple[str, ...]] = {
    "depthwise_separable": ("linear",),
    "inverted_residual": ("expansion",),
}
