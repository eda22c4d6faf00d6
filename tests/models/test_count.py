from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from evonas.blueprint import Blueprint
from evonas.models import (
    Count,
    Network,
    Plan,
    build,
    count,
    count_layers,
    network_macs,
    plan_network,
)
from evonas.models.presets import preset, presets
from evonas.networks import tidied
from evonas.space import Scale, known_spaces, load_space

IMAGENET = Scale("full", resolution_px=224, input_channels=3, classes=1000)


def published(
    activation: str, rows: list[tuple[Any, ...]], separable_skip: str = "identity"
) -> Blueprint:
    """A network of one separable layer and rows of inverted residuals.

    A row: expansion, kernel, ratio of the attention, channels, layers, stride.
    """
    first = {
        "operation": "depthwise_separable",
        "kernel": 3,
        "se_ratio": 0,
        "skip": separable_skip,
        "channels": 16,
        "layers": 1,
        "stride": 1,
    }
    keys = ("expansion", "kernel", "se_ratio", "channels", "layers", "stride")
    rest = [
        {
            "operation": "inverted_residual",
            "skip": "identity",
            **dict(zip(keys, row, strict=True)),
        }
        for row in rows
    ]
    network = {
        "builder": "stages",
        "activation": activation,
        "stem": {"channels": 32, "kernel": 3, "stride": 2},
        "stages": [first, *rest],
        "head": {"channels": 1280},
    }
    return Blueprint(*tidied(network)[:1])


# MnasNet, arXiv 1807.11626, figure 7 (A1) and the authors' MnasNet-B1; MobileNetV2, arXiv
# 1801.04381, table 2. Counts: torchvision's mnasnet1_0 and mobilenet_v2, timm's semnasnet_100.
MNASNET_B1 = published(
    "relu",
    [
        (3, 3, 0, 24, 3, 2),
        (3, 5, 0, 40, 3, 2),
        (6, 5, 0, 80, 3, 2),
        (6, 3, 0, 96, 2, 1),
        (6, 5, 0, 192, 4, 2),
        (6, 3, 0, 320, 1, 1),
    ],
)
MNASNET_A1 = published(
    "relu",
    [
        (6, 3, 0, 24, 2, 2),
        (3, 5, 0.25, 40, 3, 2),
        (6, 3, 0, 80, 4, 2),
        (6, 3, 0.25, 112, 2, 1),
        (6, 5, 0.25, 160, 3, 2),
        (6, 3, 0, 320, 1, 1),
    ],
)
MOBILENET_V2 = published(
    "relu6",
    [
        (6, 3, 0, 24, 2, 2),
        (6, 3, 0, 32, 3, 2),
        (6, 3, 0, 64, 4, 2),
        (6, 3, 0, 96, 3, 1),
        (6, 3, 0, 160, 3, 2),
        (6, 3, 0, 320, 1, 1),
    ],
)
PUBLISHED = {
    "mnasnet_b1": (MNASNET_B1, 4_383_312, 314_415_872),
    "mnasnet_a1": (MNASNET_A1, 3_887_038, 311_579_072),
    "mobilenet_v2": (MOBILENET_V2, 3_504_872, 300_774_272),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_have_the_published_counts(name: str) -> None:
    blueprint, parameters, macs = PUBLISHED[name]
    counted = count(plan_network(blueprint, IMAGENET))
    assert (counted.parameters, counted.macs) == (parameters, macs)


@pytest.mark.parametrize("name", PUBLISHED)
def test_mobile_cells_can_express_the_published_networks(name: str) -> None:
    space = load_space("mobile_cells")
    blueprint = PUBLISHED[name][0]
    decoded = space.decode(space.encode(blueprint))
    assert decoded.network == blueprint.network
    assert decoded.fingerprint == blueprint.fingerprint


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("scale_name", ["proxy", "full"])
def test_counts_without_weights_equal_those_of_a_real_forward_pass(
    seed: int, scale_name: str
) -> None:
    space = load_space("nano")
    blueprint = space.decode(space.sample(np.random.default_rng(seed)))
    scale = replace(space.scales[scale_name], input_channels=1, classes=7)
    network = build(blueprint, scale, seed=0).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *scale.input_shape))
    counted = count(plan_network(blueprint, scale))
    assert 2 * counted.macs == counter.get_total_flops()
    assert counted.parameters == sum(weights.numel() for weights in network.parameters())


def test_attention_is_counted_once_per_map_and_not_per_pixel() -> None:
    plain, attentive = (
        count(plan_network(published("relu", [(6, 3, ratio, 24, 1, 2)]), IMAGENET))
        for ratio in (0, 0.25)
    )
    expanded, squeezed = 6 * 16, 16 // 4
    assert attentive.macs - plain.macs == 2 * expanded * squeezed
    assert attentive.parameters - plain.parameters == 2 * expanded * squeezed + expanded + squeezed


def test_macs_grow_with_the_square_of_the_resolution_and_parameters_do_not() -> None:
    small, large = (
        count(plan_network(MOBILENET_V2, replace(IMAGENET, resolution_px=px))) for px in (64, 128)
    )
    classifier = 1280 * 1000
    assert large.macs - classifier == 4 * (small.macs - classifier)
    assert large.parameters == small.parameters


def test_counting_leaves_the_default_device_alone() -> None:
    count(plan_network(MNASNET_B1, replace(IMAGENET, resolution_px=32)))
    assert nn.Linear(1, 1).weight.device.type == "cpu"


def naive_count(plan: Plan) -> Count:
    """The whole network at once on the meta device, each convolution and linear layer watched."""
    macs = 0

    def watch(module: nn.Module, given: Any, maps: torch.Tensor) -> None:
        nonlocal macs
        if isinstance(module, nn.Conv2d):
            height, width = module.kernel_size
            inputs = module.in_channels // module.groups * height * width
            macs += inputs * maps.shape[1] * maps.shape[2] * maps.shape[3]
        if isinstance(module, nn.Linear):
            macs += module.in_features * module.out_features

    with torch.device("meta"), torch.no_grad():
        network = Network(plan).eval()
        for module in network.modules():
            module.register_forward_hook(watch)
        logits = network(torch.empty(1, *plan.input_shape))
    assert logits.shape == (1, plan.classes)
    return Count(sum(weights.numel() for weights in network.parameters()), macs)


@pytest.mark.parametrize("name", known_spaces())
@pytest.mark.parametrize("scale_name", ["proxy", "full"])
def test_counting_layer_by_layer_is_counting_the_whole_network(name: str, scale_name: str) -> None:
    space = load_space(name)
    rng = np.random.default_rng(1)
    for _ in range(2):
        design = space.decode(space.sample(rng))
        plan = plan_network(design, replace(space.scales[scale_name], input_channels=1, classes=7))
        assert count(plan) == naive_count(plan)


LARGE = 3_000_000_000  # multiply-adds: networks that take seconds to make


@pytest.mark.parametrize("name", presets())
def test_counting_a_preset_layer_by_layer_is_counting_the_whole_network(name: str) -> None:
    found = preset(name)
    plan = plan_network(found.blueprint, found.scale)
    counted = count(plan)
    if counted.macs < LARGE:
        assert counted == naive_count(plan)


def test_layers_are_called_as_their_weights_and_hold_all_of_them() -> None:
    for name in ("mnasnet_small", "darts_v2_small"):
        found = preset(name)
        plan = plan_network(found.blueprint, found.scale)
        with torch.device("meta"):
            network = Network(plan)
        layers = list(count_layers(plan))
        for layer in layers:
            module = network.get_submodule(layer.name)
            assert type(module) is layer.module
            assert sum(p.numel() for p in module.parameters()) == layer.count.parameters
        assert sum((layer.count for layer in layers), start=Count(0, 0)) == naive_count(plan)
        assert layers[-1].maps.shape == (plan.classes,)


def test_functions_are_counted_as_their_modules_are() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernels = nn.Parameter(torch.ones(6, 2, 3, 3))
            self.linear = nn.Parameter(torch.ones(5, 6))

        def forward(self, maps: torch.Tensor) -> torch.Tensor:
            maps = nn.functional.conv2d(maps, self.kernels, stride=2, padding=1, groups=2)
            return nn.functional.linear(maps.mean((2, 3)), self.linear)

    assert network_macs(Twice(), (4, 8, 8)) == 6 * 2 * 9 * 4 * 4 + 5 * 6


def test_drop_path_costs_nothing() -> None:
    found = preset("nasnet_a_cifar")
    dropping = Blueprint({**found.blueprint.network, "drop_path": 0.3})
    plans = [plan_network(design, found.scale) for design in (found.blueprint, dropping)]
    assert plans[0] != plans[1]
    assert count(plans[0]) == count(plans[1]) == naive_count(plans[1])
