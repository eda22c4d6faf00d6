"""Weights as whole numbers times a scale: int8 and int4, symmetric."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from evonas.compression.packing.packer import PackedWeight, Packer, nibbles
from evonas.compression.packing.weight_blocks import blocks_of_row, cut, joined

SCALE_BYTES = 2  # float16
TINY = torch.finfo(torch.float32).tiny


def largest(bits: int) -> int:
    """The largest whole number; its negative is the smallest, so that zero is in the middle.

    >>> largest(8), largest(4)
    (127, 7)
    """
    return int(2 ** (bits - 1)) - 1


def stored_scales(blocks: torch.Tensor, bits: int) -> torch.Tensor:
    """(..., 1): what takes the largest weight of each block to the largest number, in 16 bits."""
    scales = blocks.abs().amax(-1, keepdim=True) / largest(bits)
    return scales.half().float()


def rounded(blocks: torch.Tensor, scales: torch.Tensor, bits: int) -> torch.Tensor:
    """The nearest whole numbers of weights in scales; 0 where the scale is 0."""
    numbers = torch.where(scales > 0, blocks / scales.clamp(min=TINY), 0.0)
    return numbers.round().clamp(-largest(bits), largest(bits))


@dataclass(frozen=True)
class Integers(Packer):
    """Each weight in so many bits, with a scale for each output channel or group of weights.

    `group`: neighbours of one output channel; 0: all of it.
    """

    bits: int
    group: int = 0

    def size(self, shape: Sequence[int]) -> int:
        """Weights that share a scale."""
        columns = math.prod(shape[1:])
        return min(self.group, columns) if self.group else columns

    def stored_bytes(self, shape: Sequence[int]) -> int:
        """Numbers, and scales in 16 bits."""
        scales = shape[0] * blocks_of_row(shape, self.size(shape))
        return math.ceil(math.prod(shape) * self.bits / 8) + SCALE_BYTES * scales

    def packed(self, weight: torch.Tensor) -> PackedWeight:
        """Whole numbers of the scales as they are stored."""
        size = self.size(weight.shape)
        blocks = cut(weight, size)
        scales = stored_scales(blocks, self.bits)
        numbers = joined(rounded(blocks, scales, self.bits), weight.shape).to(torch.int8)
        values = nibbles(numbers + 8) if self.bits == 4 else numbers
        tensors = {"": values, ".scale": scales.squeeze(-1).half()}
        return PackedWeight(tensors, {"shape": [*weight.shape], "bits": self.bits, "block": size})
