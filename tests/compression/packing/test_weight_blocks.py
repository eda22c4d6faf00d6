import pytest
import torch

from evonas.compression.packing.weight_blocks import block_size, blocks_of_row, cut, joined

SHAPES = [(4, 6, 3, 3), (5, 1, 5, 5), (4, 20, 1, 1), (3, 7), (2, 8)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("block", [1, 8, 64])
def test_blocks_are_a_weight_in_other_words(shape: tuple[int, ...], block: int) -> None:
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    size = block_size(shape, block)
    blocks = cut(weight, size)
    assert blocks.shape == (shape[0], blocks_of_row(shape, size), size)
    assert torch.equal(joined(blocks, shape), weight)


def test_blocks_are_whole_kernels_or_inputs_beside_each_other() -> None:
    kernels = torch.randn(4, 6, 3, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(cut(kernels, block_size(kernels.shape, 8))[2, 5], kernels[2, 5].flatten())
    inputs = torch.randn(4, 20, 1, 1, generator=torch.Generator().manual_seed(0))
    blocks = cut(inputs, block_size(inputs.shape, 8))
    assert torch.equal(blocks[1, 1], inputs[1, 8:16, 0, 0])
    assert torch.equal(blocks[1, 2], torch.cat([inputs[1, 16:, 0, 0], torch.zeros(4)]))
