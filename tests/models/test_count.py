from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from evonas.blueprint import Blueprint, plan_network
from evonas.models import Count, Network, build, count, count_layers
from evonas.models.count import output_shapes
from evonas.models.modules import MODULES
from evonas.networks.plan import Plan
from evonas.presets import preset
from evonas.space import Scale, known_spaces, load_space
from evonas.tasks.task import outputs_of

IMAGENET = Scale("full", resolution_px=224, input_channels=3, classes=1000)


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
            if isinstance(module, nn.BatchNorm2d):  # its meta kernel is the slowest by far
                module.forward = nn.Identity().forward  # type: ignore[method-assign]
        outputs = outputs_of(network(torch.empty(1, *plan.input_shape)))
    assert [tuple(output.shape[1:]) for output in outputs] == output_shapes(plan)
    return Count(sum(weights.numel() for weights in network.parameters()), macs)


@pytest.mark.parametrize("name", known_spaces())
def test_counting_layer_by_layer_is_counting_the_whole_network(name: str) -> None:
    space = load_space(name)
    rng = np.random.default_rng(1)
    for scale in ("proxy", "full"):
        design = space.decode(space.sample(rng))
        plan = plan_network(design, replace(space.scales[scale], input_channels=1, classes=7))
        assert count(plan) == naive_count(plan), scale


# The smallest of each family; test_presets has the counts of all, most of them of other programs.
SMALLEST = [
    *("mnasnet_small", "mobilenet_v1_025", "mobilenet_v3_small", "mobilenet_v2_035", "fbnet_c"),
    *("efficientnet_b0", "nasnet_a_cifar", "pnasnet_5_mobile", "amoebanet_a_cifar"),
    *("darts_v1_cifar", "darts_v2_small", "densenet_bc_100_12", "dpn68", "shufflenet_v2_050"),
    *("cspdarknet53", "cspresnext50", "fractalnet_c3", "lenet5", "first_dnn", "alexnet", "zfnet"),
    *("nin_cifar", "squeezenet_10", "darknet19", "googlenet", "inception_resnet_v1"),
    *("resnet20_cifar", "resnest14d", "preact_resnet50", "se_resnet50", "shake_shake_26_2x32d"),
]


@pytest.mark.parametrize("name", SMALLEST)
def test_counting_a_preset_layer_by_layer_is_counting_the_whole_network(name: str) -> None:
    found = preset(name)
    plan = plan_network(found.blueprint, found.scale)
    assert count(plan) == naive_count(plan)


def test_layers_are_called_as_their_weights_and_hold_all_of_them() -> None:
    for name in ("mnasnet_small", "darts_v2_small"):
        found = preset(name)
        plan = plan_network(found.blueprint, found.scale)
        with torch.device("meta"):
            network = Network(plan)
        layers = list(count_layers(plan))
        for layer in layers:
            module = network.get_submodule(layer.name)
            assert type(module) is MODULES[layer.module]
            assert sum(p.numel() for p in module.parameters()) == layer.count.parameters
        assert sum((layer.count for layer in layers), start=Count(0, 0)) == naive_count(plan)
        assert [layers[-1].maps.shape] == output_shapes(plan) == [(found.scale.classes,)]


def test_drop_path_costs_nothing() -> None:
    found = preset("nasnet_a_cifar")
    dropping = Blueprint({**found.blueprint.network, "drop_path": 0.3})
    plans = [plan_network(design, found.scale) for design in (found.blueprint, dropping)]
    assert plans[0] != plans[1]
    assert count(plans[0]) == count(plans[1]) == naive_count(plans[1])
