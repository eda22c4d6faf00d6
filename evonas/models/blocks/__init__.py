"""Blocks: what a stage repeats. A new one is a file here and a line in both tables below.

A block is called with `in_channels, out_channels, stride, activation, norm` and with what its
keys in the space file say (`BLOCK_KEYS`): `kernel` as it is, `se_ratio` as `attention`, `skip` as
`skip` and `drop_path`, others under their names or as its class has it. Its source is copied into
exported models, so it imports torch and `evonas.models` only.
"""

from collections.abc import Mapping

from torch import nn

from evonas.models.blocks.conv import Conv
from evonas.models.blocks.depthwise_separable import DepthwiseSeparable
from evonas.models.blocks.identity import Identity
from evonas.models.blocks.inverted_residual import InvertedResidual

BLOCKS: Mapping[str, type[nn.Module]] = {
    "conv": Conv,
    "depthwise_separable": DepthwiseSeparable,
    "inverted_residual": InvertedResidual,
    "identity": Identity,
}

# The keys of a stage that each block takes beside those that all take; a space keeps the genes of
# keys that not all of its operations take active with `when`.
BLOCK_KEYS: Mapping[str, tuple[str, ...]] = {
    "conv": ("kernel", "se_ratio", "skip"),
    "depthwise_separable": ("kernel", "se_ratio", "skip", "linear"),
    "inverted_residual": ("kernel", "se_ratio", "skip", "expansion"),
    "identity": (),
}
