"""The arithmetic that papers and courses do by hand, against what is counted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from evonas.blueprint import Blueprint, plan_network
from evonas.models import Count, LayerCount, Network, count, count_layers
from evonas.networks.plan import Layer, Part, Plan
from evonas.networks.stages.blocks import BLOCKS
from evonas.presets import preset


def counted(name: str, **changes: Any) -> Count:
    """A published network, maybe at another scale."""
    found = preset(name)
    return count(plan_network(found.blueprint, replace(found.scale, **changes)))


def layers_of(name: str) -> list[LayerCount]:
    found = preset(name)
    return list(count_layers(plan_network(found.blueprint, found.scale)))


def counted_layer(
    module: str, arguments: Mapping[str, Any], given: tuple[int, int, int]
) -> LayerCount:
    """One layer by itself."""
    (layer,) = count_layers(Plan((Part("layer", (Layer(module, arguments),)),), given, ("layer",)))
    return layer


def block_macs(operation: str, in_channels: int, out_channels: int, kernel: int, side: int) -> int:
    arguments = {"in_channels": in_channels, "out_channels": out_channels}
    arguments |= {"kernel": kernel, "stride": 1, "activation": "relu"}
    return counted_layer(BLOCKS[operation].module, arguments, (in_channels, side, side)).count.macs


@pytest.mark.parametrize(("channels", "kernel"), [(512, 3), (64, 3), (128, 5), (32, 7)])
def test_a_separable_convolution_costs_1_nth_and_1_kernel_square_of_a_full_one(
    channels: int, kernel: int
) -> None:
    # arXiv 1704.04861, section 3.1: 1 / N + 1 / DK^2
    full = block_macs("conv", 256, channels, kernel, 14)
    separable = block_macs("depthwise_separable", 256, channels, kernel, 14)
    assert separable / full == pytest.approx(1 / channels + 1 / kernel**2, rel=1e-12)
    if (channels, kernel) == (512, 3):
        assert separable / full == pytest.approx(0.113064, abs=5e-7)


@pytest.mark.parametrize(
    ("large", "small", "weights"),
    [(5, [3, 3], (25, 18)), (7, [3, 3, 3], (49, 27)), (3, [(1, 3), (3, 1)], (9, 6))],
)
def test_small_windows_in_a_row_see_as_much_as_a_large_one_for_less(
    large: int, small: list[Any], weights: tuple[int, int]
) -> None:
    # arXiv 1512.00567, sections 3.1 and 3.2: weights of a pair of channels
    def row(kernels: list[Any]) -> tuple[float, int | None]:
        shape = {"in_channels": 8, "out_channels": 8}
        parts = tuple(Layer("ConvNormActivation", {**shape, "kernel": each}) for each in kernels)
        layers = list(count_layers(Plan((Part("row", parts),), (8, 16, 16), ("row",))))
        macs = sum(layer.count.macs for layer in layers)
        return macs / (16 * 16 * 8 * 8), layers[-1].maps.receptive_field_px

    assert row([large]) == (weights[0], large)
    assert row(small) == (weights[1], large)


RESNEXT = {  # cardinality C and width d: weights of a block, parameters of the network of 50 layers
    (1, 64): (69_632, 25_557_032),
    (2, 40): (69_760, 25_425_000),
    (4, 24): (69_888, 25_292_968),
    (8, 14): (71_456, 25_603_016),
    (32, 4): (70_144, 25_028_904),
}


@pytest.mark.parametrize(("groups", "width"), RESNEXT)
def test_a_resnext_block_has_the_weights_of_its_formula(groups: int, width: int) -> None:
    # arXiv 1611.05431, eq. 4; on a map of one pixel each weight is multiplied once
    inner = groups * width
    arguments = {"in_channels": 256, "out_channels": 256, "kernel": 3, "stride": 1}
    arguments |= {"activation": "relu", "inner": inner, "groups": groups}
    block = counted_layer("Bottleneck", arguments, (256, 1, 1))
    weights = groups * (256 * width + 9 * width * width + 256 * width)
    assert block.count.macs == weights == RESNEXT[groups, width][0]
    norms = 2 * (inner + inner + 256)
    assert block.count.parameters == weights + norms


@pytest.mark.parametrize(("groups", "width"), RESNEXT)
def test_resnexts_of_all_cardinalities_cost_about_the_same(groups: int, width: int) -> None:
    found = preset("resnet50")
    own = {"groups": groups, "mid_ratio": groups * width / 256}
    stages = [{**stage, **own} for stage in found.blueprint.network["stages"]]
    blueprint = Blueprint({**found.blueprint.network, "stages": stages})
    plan = plan_network(blueprint, found.scale)
    assert count(plan).parameters == RESNEXT[groups, width][1]


def fractal(columns: int) -> list[LayerCount]:
    return layers_of(f"fractalnet_c{columns}")


@pytest.mark.parametrize("columns", [2, 3, 4])
def test_a_fractal_block_of_c_columns_has_2_to_the_c_less_1_convolutions(columns: int) -> None:
    # arXiv 1605.07648, section 3, five blocks
    found = preset(f"fractalnet_c{columns}")
    with torch.device("meta"):
        network = Network(plan_network(found.blueprint, found.scale))
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 5 * (2**columns - 1)
    assert {module.kernel_size for module in convolutions} == {(3, 3)}


@pytest.mark.parametrize("columns", [3, 4])
def test_a_column_more_doubles_the_depth_of_a_fractal_network(columns: int) -> None:
    # The deepest of C columns is 2^(C-1) convolutions of 3x3 in each of five blocks, 20 with three
    # columns and 40 with four; each sees two pixels more, of a map that is halved block by block.
    deep, shallow = (
        max(layer.maps.receptive_field_px or 0 for layer in fractal(each))
        for each in (columns, columns - 1)
    )
    more_a_block = 2 ** (columns - 1) - 2 ** (columns - 2)
    assert deep - shallow == sum(2 * more_a_block * jump for jump in (1, 2, 4, 8, 16))


@pytest.mark.parametrize(
    ("name", "growth", "depth"), [("densenet_40_12", 12, 12), ("densenet_100_12", 12, 32)]
)
def test_the_nth_dense_layer_reads_k0_and_n_less_1_times_the_growth(
    name: str, growth: int, depth: int
) -> None:
    # arXiv 1608.06993, section 3, "Growth rate"; all maps before a layer are read by it
    stem, *layers = layers_of(name)[: depth + 1]
    first = stem.maps.shape[0]
    given = [first, *(layer.maps.shape[0] for layer in layers[:-1])]
    assert given == [first + growth * (n - 1) for n in range(1, depth + 1)]
    pixels = 32 * 32
    assert [layer.count.macs for layer in layers] == [9 * k * growth * pixels for k in given]
    connections = sum(1 + (k - first) // growth for k in given)
    assert connections == depth * (depth + 1) // 2


@pytest.mark.parametrize(
    ("side", "kernel", "padding", "stride", "expected"),
    [
        (227, 11, 0, 4, 55),
        (224, 7, 3, 2, 112),
        (32, 5, 0, 1, 28),
        (7, 3, 1, 1, 7),
        (55, 3, 0, 2, 27),
    ],
)
def test_a_window_leaves_a_minus_f_plus_2p_by_s_plus_1_pixels(
    side: int, kernel: int, padding: int, stride: int, expected: int
) -> None:
    assert expected == (side - kernel + 2 * padding) // stride + 1
    window = {"kernel": kernel, "stride": stride, "padding": padding}
    convolution = {"in_channels": 3, "out_channels": 6, "norm": "none", **window}
    layer = counted_layer("ConvNormActivation", convolution, (3, side, side))
    assert layer.maps.shape == (6, expected, expected)
    assert layer.count.parameters == 6 * (kernel * kernel * 3 + 1)
    assert layer.count.macs == 6 * kernel * kernel * 3 * expected * expected
    for pool in ("MaxPool", "AvgPool"):
        layer = counted_layer(pool, window, (3, side, side))
        assert layer.maps.shape == (3, expected, expected)
        assert layer.count == Count(0, 0)
