"""Blocks: what a stage repeats. A new one is a file here and a line in both tables below.

A block is called with `in_channels, out_channels, stride, activation, norm` and with what its
keys in the space file say (`BLOCK_KEYS`): `se_ratio` as `attention`, `expansion` as `expanded`
channels, `mid_ratio` and `mid_growths` as `inner` channels, `skip` as `skip` and `drop_path`,
others as they are.
Its source is copied into exported models, so it imports torch and `evonas.models` only.
"""

from collections.abc import Mapping

from torch import nn

from evonas.models.blocks.conv import Conv
from evonas.models.blocks.darknet import Darknet
from evonas.models.blocks.dense import Dense
from evonas.models.blocks.depthwise_separable import DepthwiseSeparable
from evonas.models.blocks.dual_path import DualPath
from evonas.models.blocks.fire import Fire
from evonas.models.blocks.fractal import Fractal
from evonas.models.blocks.identity import Identity
from evonas.models.blocks.inception import Inception
from evonas.models.blocks.inverted_residual import InvertedResidual
from evonas.models.blocks.residual import Bottleneck, Residual
from evonas.models.blocks.shake import Shake
from evonas.models.blocks.shuffle import Shuffle

BLOCKS: Mapping[str, type[nn.Module]] = {
    "conv": Conv,
    "depthwise_separable": DepthwiseSeparable,
    "inverted_residual": InvertedResidual,
    "identity": Identity,
    "residual": Residual,
    "bottleneck": Bottleneck,
    "shake": Shake,
    "dense": Dense,
    "dual_path": DualPath,
    "shuffle": Shuffle,
    "fire": Fire,
    "inception": Inception,
    "fractal": Fractal,
    "darknet": Darknet,
}

RESIDUAL_KEYS = ("channels", "kernel", "mid_ratio", "order", "shortcut", "se_ratio", "dropout")

# The keys of a stage that each block takes beside those that all take; a space keeps the genes of
# keys that not all of its operations take active with `when`.
BLOCK_KEYS: Mapping[str, tuple[str, ...]] = {
    "conv": ("channels", "kernel", "groups", "se_ratio", "skip"),
    "depthwise_separable": ("channels", "kernel", "se_ratio", "skip", "linear"),
    "inverted_residual": ("channels", "kernel", "se_ratio", "skip", "expansion"),
    "identity": ("channels",),
    "residual": RESIDUAL_KEYS,
    "bottleneck": (*RESIDUAL_KEYS, "groups", "radix", "stride_place"),
    "shake": ("channels", "kernel"),
    "dense": ("growth", "mid_growths", "kernel", "compression", "dropout"),
    "dual_path": ("channels", "growth", "mid_growths", "groups", "kernel"),
    "shuffle": ("channels", "kernel"),
    "fire": ("channels", "kernel", "mid_ratio", "skip"),
    "inception": ("channels", "kernel", "stacked", "skip"),
    "fractal": ("channels", "kernel", "columns", "dropout"),
    "darknet": ("channels", "kernel", "mid_ratio", "skip"),
}

# Blocks that add their input to what they make of it whatever its shape, or add paths within: they
# take `drop_path`.
ALWAYS_SUMS: tuple[str, ...] = ("residual", "bottleneck", "shake", "fractal")
