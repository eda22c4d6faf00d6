"""The blocks that a weight is cut into: those that are packed as one, and that noise falls on."""

import math
from collections.abc import Sequence

import torch
from torch.nn import functional


def block_size(shape: Sequence[int], block: int) -> int:
    """Weights in a block of a convolution's or a linear layer's weight of this shape.

    Whole kernels of convolutions that have pixels beside each other; of others `block` inputs
    (arXiv 2004.07320, section 4.2; arXiv 1907.05686, section 3.3).

    >>> block_size((16, 8, 3, 3), 4), block_size((16, 8, 1, 1), 4), block_size((10, 3), 4)
    (9, 4, 3)
    """
    kernel = math.prod(shape[2:])
    return kernel if kernel > 1 else min(block, shape[1])


def blocks_of_row(shape: Sequence[int], size: int) -> int:
    """How many blocks the weights of one output channel are; the last may be incomplete."""
    return math.ceil(math.prod(shape[1:]) / size)


def cut(weight: torch.Tensor, size: int) -> torch.Tensor:
    """(out_channels, blocks, size): the weights of each output channel, with zeros at the end."""
    rows = weight.flatten(1)
    missing = -rows.shape[1] % size
    return functional.pad(rows, (0, missing)).reshape(len(rows), -1, size)


def joined(blocks: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """The inverse of `cut`: a weight of this shape."""
    return blocks.flatten(1)[:, : math.prod(shape[1:])].reshape(shape)
