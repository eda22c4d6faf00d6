"""Blocks: what a stage repeats. A new one is a file of `models/blocks` and a line here.

A block is called with `in_channels, out_channels, stride, activation, norm` and with what its
keys in the space file say: `se_ratio` as `attention`, `expansion` as `expanded` channels,
`mid_ratio` and `mid_growths` as `inner` channels, `skip` as `skip` and `drop_path`, others as
they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """One block.

    `module`: its name in `models.MODULES`. `keys`: the keys of a stage that it takes beside those
    that all take; a space keeps genes of keys that not all of its operations take active with
    `when`. `always_sums`: it adds its input to what it makes of it whatever its shape, or adds
    paths within, and takes `drop_path`. `needs`: the key that may not be 0, as nothing can
    replace the middle of the block.
    """

    module: str
    keys: tuple[str, ...]
    always_sums: bool = False
    needs: str | None = None


RESIDUAL_KEYS = ("channels", "kernel", "mid_ratio", "order", "shortcut", "se_ratio", "dropout")

BLOCKS: Mapping[str, Block] = {
    "conv": Block("Conv", ("channels", "kernel", "groups", "se_ratio", "skip")),
    "depthwise_separable": Block(
        "DepthwiseSeparable", ("channels", "kernel", "se_ratio", "skip", "linear")
    ),
    "inverted_residual": Block(
        "InvertedResidual", ("channels", "kernel", "se_ratio", "skip", "expansion")
    ),
    "identity": Block("Identity", ("channels",)),
    "residual": Block("Residual", RESIDUAL_KEYS, always_sums=True, needs="mid_ratio"),
    "bottleneck": Block(
        "Bottleneck",
        (*RESIDUAL_KEYS, "groups", "radix", "stride_place"),
        always_sums=True,
        needs="mid_ratio",
    ),
    "shake": Block("Shake", ("channels", "kernel"), always_sums=True),
    "dense": Block("Dense", ("growth", "mid_growths", "kernel", "compression", "dropout")),
    "dual_path": Block(
        "DualPath", ("channels", "growth", "mid_growths", "groups", "kernel"), needs="mid_growths"
    ),
    "shuffle": Block("Shuffle", ("channels", "kernel")),
    "fire": Block("Fire", ("channels", "kernel", "mid_ratio", "skip")),
    "inception": Block("Inception", ("channels", "kernel", "stacked", "skip")),
    "fractal": Block("Fractal", ("channels", "kernel", "columns", "dropout"), always_sums=True),
    "darknet": Block("Darknet", ("channels", "kernel", "mid_ratio", "skip")),
}
