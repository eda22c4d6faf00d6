import pytest
import torch

from evonas.compression.packing.integers import Integers, largest
from evonas.exporters.packed_weights import unpacked

SHAPES = [(8, 6, 3, 3), (6, 1, 5, 5), (4, 20, 1, 1), (3, 7)]


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def out_again(weight: torch.Tensor, packing: Integers) -> torch.Tensor:
    packed = packing.packed(weight)
    stored = {f"weight{end}": tensor for end, tensor in packed.tensors.items()}
    return unpacked(stored, {"weight": packed.layout})["weight"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("group", [0, 4, 1000])
def test_a_weight_comes_out_to_half_a_step_of_its_scale(
    shape: tuple[int, ...], bits: int, group: int
) -> None:
    weight, packing = drawn(*shape), Integers(bits, group)
    found = out_again(weight, packing)
    assert found.shape == weight.shape
    for row, other in zip(weight.flatten(1), found.flatten(1), strict=True):
        size = packing.size(shape)
        for own, right in zip(other.split(size), row.split(size), strict=True):
            step = right.abs().max() / largest(bits)
            assert (own - right).abs().max() <= 0.51 * step  # the step itself is rounded
            assert torch.equal((own / step).round().abs().max(), torch.tensor(float(largest(bits))))
    stored = packing.packed(weight).tensors.values()
    assert packing.stored_bytes(shape) == sum(t.numel() * t.element_size() for t in stored)


def test_more_bits_and_more_scales_are_nearer() -> None:
    weight = drawn(8, 64, 1, 1)
    ways = [Integers(4), Integers(4, 16), Integers(8)]
    errors = [float((out_again(weight, way) - weight).square().mean()) for way in ways]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 100 * errors[2]


def test_zeros_stay_zeros_and_numbers_below_any_scale_become_zeros() -> None:
    weight = drawn(4, 8)
    weight[0], weight[1, 3], weight[2] = 0, 0, 1e-12
    for bits in (8, 4):
        found = out_again(weight, Integers(bits))
        assert not found[0].any()
        assert found[1, 3] == 0
        assert not found[2].any()
        assert found[3].any()
