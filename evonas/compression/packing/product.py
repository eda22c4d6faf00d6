"""Product quantisation: each block of weights is the nearest of a few codewords."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.cluster.vq import kmeans2

from evonas.compression.packing.integers import Integers
from evonas.compression.packing.packer import PackedWeight, Packer, nibbles
from evonas.compression.packing.weight_blocks import block_size, blocks_of_row, cut

ROUNDS = 20  # of k-means; more change the error by less than a hundredth
AT_ONCE = 4096  # blocks whose distances from all codewords are in memory
CODEWORD_BYTES = 2  # a weight of a codeword: float16
INSTEAD = Integers(8)
INDICES = {4: torch.uint8, 8: torch.uint8, 16: torch.uint16}  # by their bits


def codebook_of(
    blocks: torch.Tensor, codewords: int, seed: int, rounds: int = ROUNDS
) -> torch.Tensor:
    """(codewords, size): k-means of blocks (..., size), in the 16 bits that are stored.

    The first codewords are blocks that the seed draws.
    """
    points = _points(blocks)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a codeword that is nobody's nearest stays
        generator = np.random.default_rng(seed)
        codebook, _ = kmeans2(points, codewords, iter=rounds, minit="points", rng=generator)
    return torch.from_numpy(codebook).half()


def nearest(blocks: torch.Tensor, codebook: torch.Tensor) -> torch.Tensor:
    """(...): for each block the place of its nearest codeword."""
    half_squares = codebook.square().sum(1) / 2
    places = [
        torch.addmm(half_squares, few, codebook.T, alpha=-1).argmin(1)
        for few in torch.split(blocks.flatten(0, -2), AT_ONCE)
    ]
    return torch.cat(places).reshape(blocks.shape[:-1])


def _points(blocks: torch.Tensor) -> np.ndarray:
    return blocks.detach().cpu().float().flatten(0, -2).numpy()


@dataclass(frozen=True)
class Product(Packer):
    """Blocks of `block` weights as places in a codebook of the layer (arXiv 1907.05686).

    Where codebook and places would be larger than int8 weights, these are stored.
    """

    block: int
    codewords: int
    seed: int

    @property
    def bits(self) -> int:
        """Of a place, 4, 8 or 16."""
        return next(bits for bits in INDICES if self.codewords <= 2**bits)

    def stored_bytes(self, shape: Sequence[int]) -> int:
        """Codebook and places, or int8."""
        return min(self._bytes(shape), INSTEAD.stored_bytes(shape))

    def is_smaller(self, shape: Sequence[int]) -> bool:
        """Whether codebook and places are smaller than int8 weights."""
        return self._bytes(shape) < INSTEAD.stored_bytes(shape)

    def _bytes(self, shape: Sequence[int]) -> int:
        size = block_size(shape, self.block)
        places = shape[0] * blocks_of_row(shape, size)
        return CODEWORD_BYTES * self.codewords * size + math.ceil(places * self.bits / 8)

    def packed(self, weight: torch.Tensor) -> PackedWeight:
        """A codebook and places in it, or int8."""
        if not self.is_smaller(weight.shape):
            return INSTEAD.packed(weight)
        size = block_size(weight.shape, self.block)
        blocks = cut(weight, size)
        codebook = codebook_of(blocks, self.codewords, self.seed)
        places = nearest(blocks, codebook.float())
        values = nibbles(places) if self.bits == 4 else places.flatten().to(INDICES[self.bits])
        layout = {"shape": [*weight.shape], "bits": self.bits, "block": size}
        return PackedWeight({"": values, ".codebook": codebook}, layout)
