import pytest
import torch

from evonas.compression.packing.integers import Integers
from evonas.compression.packing.product import Product, codebook_of, nearest
from evonas.compression.packing.weight_blocks import block_size, cut
from evonas.exporters.packed_weights import unpacked

POINTWISE, KERNELS, SMALL = (64, 128, 1, 1), (64, 64, 3, 3), (8, 1, 5, 5)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def out_again(weight: torch.Tensor, packing: Product) -> torch.Tensor:
    packed = packing.packed(weight)
    stored = {f"weight{end}": tensor for end, tensor in packed.tensors.items()}
    return unpacked(stored, {"weight": packed.layout})["weight"]


@pytest.mark.parametrize("codewords", [10, 16, 32, 300])
@pytest.mark.parametrize("shape", [POINTWISE, KERNELS, (64, 100)])
def test_each_block_comes_out_as_its_nearest_codeword(
    codewords: int, shape: tuple[int, ...]
) -> None:
    weight, packing = drawn(*shape), Product(8, codewords, seed=0)
    assert packing.is_smaller(shape)
    packed, found = packing.packed(weight), out_again(weight, packing)
    codebook = packed.tensors[".codebook"].float()
    size = block_size(shape, 8)
    assert codebook.shape == (codewords, size)
    blocks, others = cut(weight, size), cut(found, size)
    whole = blocks[:, : shape[1] // 8] if len(shape) == 2 else blocks
    distances = (whole[:, :, None] - codebook).norm(dim=-1).amin(-1)
    own = (whole - others[:, : whole.shape[1]]).norm(dim=-1)
    torch.testing.assert_close(own, distances, atol=1e-4, rtol=1e-4)
    stored = packed.tensors.values()
    assert packing.stored_bytes(shape) == sum(t.numel() * t.element_size() for t in stored)


def test_where_a_codebook_would_be_larger_weights_are_int8() -> None:
    packing = Product(8, 256, seed=0)
    assert not packing.is_smaller(SMALL)
    packed = packing.packed(drawn(*SMALL))
    assert packed.layout == Integers(8).packed(drawn(*SMALL)).layout
    assert packing.stored_bytes(SMALL) == Integers(8).stored_bytes(SMALL)


def test_a_seed_gives_one_codebook_and_another_another() -> None:
    blocks = cut(drawn(*POINTWISE), 8)
    codebooks = [codebook_of(blocks, 32, seed) for seed in (0, 0, 1)]
    assert torch.equal(codebooks[0], codebooks[1])
    assert not torch.equal(codebooks[0], codebooks[2])


def test_rounds_bring_codewords_nearer_and_clusters_are_found() -> None:
    centres = drawn(16, 8) * 10
    blocks = centres.repeat(8, 8, 1) + drawn(8, 128, 8) / 100
    codebook = codebook_of(blocks, 64, seed=0)
    found = codebook.float()[nearest(blocks, codebook.float())]
    assert (found - blocks).abs().max() < 0.1
    few, many = (codebook_of(cut(drawn(*POINTWISE), 8), 32, 0, rounds).float() for rounds in (1, 9))
    blocks = cut(drawn(*POINTWISE), 8)
    errors = [(book[nearest(blocks, book)] - blocks).square().mean() for book in (few, many)]
    assert errors[1] < errors[0]


def test_equal_blocks_need_one_codeword_and_no_warning() -> None:
    weight = torch.zeros(POINTWISE)
    weight[1, 2] = 1
    assert torch.equal(out_again(weight, Product(8, 16, seed=0)), weight)
