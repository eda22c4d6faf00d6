"""What the modules of chains compute."""

import pytest
import torch
from torch import nn

from evonas.models.chain_layers import (
    ChannelGroup,
    LocalResponseNorm,
    MaxPool,
    PoolPyramid,
    Row,
    SpaceToDepth,
    SpatialAttention,
    Sum,
    WeightedSum,
)
from evonas.models.layers import LpPool, PyramidFeatures


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_an_lp_pool_is_the_mean_for_1_and_nearly_the_maximum_for_large_powers() -> None:
    given = images(2, 3, 8, 8).relu()
    torch.testing.assert_close(LpPool(1, 2, 2)(given), nn.AvgPool2d(2)(given))
    largest = nn.MaxPool2d(2)(given)
    torch.testing.assert_close(LpPool(20, 2, 2)(given), largest, rtol=0.07, atol=0.02)
    root = LpPool(2, 2, 2)(torch.tensor([[[[3.0, 4.0], [0.0, 0.0]]]]))
    assert root.item() == pytest.approx(2.5)


def test_an_lp_pool_of_zeros_has_a_finite_slope() -> None:
    given = torch.zeros(1, 1, 4, 4, requires_grad=True)
    LpPool(3, 2, 2)(given).sum().backward()
    assert given.grad is not None
    assert given.grad.isfinite().all()


@pytest.mark.parametrize("size", [1, 4, 5])
def test_lrn_is_what_torch_computes(size: int) -> None:
    given = images(2, 7, 3, 3)
    wanted = nn.LocalResponseNorm(size, alpha=0.3, beta=0.6, k=2)(given)
    torch.testing.assert_close(LocalResponseNorm(size, 0.3, 0.6, 2)(given), wanted)


@pytest.mark.parametrize("sides", [(13, 13), (7, 10), (3, 2)])
def test_pyramid_features_are_adaptive_maxima(sides: tuple[int, int]) -> None:
    given = images(2, 3, *sides)
    levels = [nn.functional.adaptive_max_pool2d(given, bins).flatten(1) for bins in (1, 2, 4)]
    assert torch.equal(PyramidFeatures([1, 2, 4])(given), torch.cat(levels, 1))


def test_a_pyramid_of_pools_keeps_the_map_as_its_last_channels() -> None:
    given = images(1, 2, 15, 15)
    out = PoolPyramid([5, 9, 13])(given)
    assert out.shape == (1, 8, 15, 15)
    assert torch.equal(out[:, 6:], given)
    assert torch.equal(out[:, :2], nn.MaxPool2d(13, 1, 6)(given))


def test_space_to_depth_moves_the_pixels_of_a_square_into_channels() -> None:
    given = torch.arange(16.0).reshape(1, 1, 4, 4)
    out = SpaceToDepth(2)(given)
    assert out[0, :, 0, 0].tolist() == [0, 1, 4, 5]
    two = SpaceToDepth(2)(torch.cat([given, given + 100], 1))
    assert two[0, :4, 0, 0].tolist() == [0, 100, 1, 101]
    odd = SpaceToDepth(2)(given[:, :, :3, :3])
    assert odd[0, :, 1, 1].tolist() == [10, 0, 0, 0]


def test_a_pool_of_even_sides_may_keep_the_size_with_a_pixel_at_the_right_and_below() -> None:
    given = torch.tensor([[1.0, 5.0, 2.0], [3.0, 4.0, 0.0], [-1.0, -2.0, -3.0]])[None, None]
    out = MaxPool(2, 1, "same")(given)[0, 0].tolist()
    assert out == [[5, 5, 2], [4, 4, 0], [-1, -2, -3]]
    assert MaxPool((2, 3), 1, "same")(given).shape == given.shape
    assert torch.equal(MaxPool(3, 1, "same")(given), MaxPool(3, 1, 1)(given))


def test_a_group_of_channels_is_counted_from_one() -> None:
    given = images(2, 6, 3, 3)
    assert torch.equal(ChannelGroup(2, 3)(given), given[:, 2:4])


@pytest.mark.parametrize(("kind", "gates"), [("pooled", 1), ("pointwise", 4)])
def test_spatial_attention_gates_pixels(kind: str, gates: int) -> None:
    attention = SpatialAttention(4, kind)
    given = images(2, 4, 9, 9).abs() + 0.1
    ratios = attention(given) / given
    assert ((ratios > 0) & (ratios < 1)).all()
    assert attention.convolution.out_channels == gates
    if kind == "pooled":
        torch.testing.assert_close(ratios, ratios[:, :1].expand_as(ratios))


def test_a_sum_scales_what_is_no_identity() -> None:
    twice = nn.Conv2d(2, 2, 1, bias=False)
    nn.init.dirac_(twice.weight)
    given = images(1, 2, 3, 3)
    total = Sum([Row([]), Row([twice])], scale=0.17)(given)
    torch.testing.assert_close(total, 1.17 * given)


@pytest.mark.parametrize(
    ("weights", "values", "wanted"),
    [
        ("fast", (3.0, 1.0), 4 / 4.0001),
        ("fast", (-1.0, 1.0), 1 / 1.0001),
        ("softmax", (5.0, -2.0), 1.0),
        ("free", (3.0, 1.0), 4.0),
    ],
)
def test_weights_of_a_sum_are_kept_in_bounds(
    weights: str, values: tuple[float, float], wanted: float
) -> None:
    # arXiv 1911.09070, section 3.3: here both terms are the same maps
    total = WeightedSum([Row([]), Row([])], weights)
    total.weights.values.data = torch.tensor(values)
    torch.testing.assert_close(total(torch.ones(1, 1, 2, 2)), torch.full((1, 1, 2, 2), wanted))
