"""Darknet's unit and cross stage partial stages: what goes around and what goes through."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from conftest import a_network
from torch import nn

from evonas.blueprint import Blueprint, plan_network
from evonas.conversion.fingerprint import filled, uniform
from evonas.models import Network, count
from evonas.models.cross_stage import CrossStage
from evonas.networks import Scale, scaled, short
from evonas.networks.plan import Plan
from evonas.presets import preset

UNIT = {"operation": "darknet", "mid_ratio": 0.5, "kernel": 3, "skip": "identity"}
OPERATIONS: dict[str, dict[str, Any]] = {
    "darknet": UNIT,
    "bottleneck": {"operation": "bottleneck", "mid_ratio": 0.5, "kernel": 3, "se_ratio": 0},
    "shuffle": {"operation": "shuffle", "kernel": 3},
    "dense": {"operation": "dense", "growth": 6, "mid_growths": 2, "kernel": 3},
    "dual_path": {
        **{"operation": "dual_path", "growth": 4, "mid_growths": 2, "kernel": 3},
        "groups": 4,
    },
}


def section(stage: dict[str, Any], **more: Any) -> dict[str, Any]:
    more |= {"stem": {"channels": 12, "kernel": 3, "stride": 1}, "head": {"channels": 0}}
    stage = {"channels": 16, "layers": 2, "stride": 2, **stage}
    return a_network(stage, activation="leaky", **more)


def plan(stage: dict[str, Any], **more: Any) -> Plan:
    return plan_network(Blueprint(section(stage, **more)), Scale("full", 9, classes=4))


def test_with_its_slope_the_function_is_that_of_timm() -> None:
    total, length = 7823296.486, 54178842.81
    found = preset("darknet53")
    blueprint = Blueprint({**found.blueprint.network, "leaky_slope": 0.01})  # Darknet has 0.1
    network = filled(Network(plan_network(blueprint, found.scale)))
    images = 8 * (2 * uniform(3 * 64 * 64) - 1).view(1, 3, 64, 64)
    with torch.no_grad():
        logits = network(images)
    assert logits.sum().item() == pytest.approx(total, rel=1e-8)
    assert logits.norm().item() == pytest.approx(length, rel=1e-8)


def test_the_first_channels_go_around_the_layers() -> None:
    made = CrossStage(around=2, layers=[nn.Conv2d(4, 3, 1)])
    given = torch.randn(1, 6, 5, 5, generator=torch.Generator().manual_seed(0))
    out = made(given)
    assert torch.equal(out[:, :2], given[:, :2])
    assert torch.equal(out[:, 2:], made.layers(given[:, 2:]))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_a_partial_stage_gives_the_channels_that_the_whole_one_gives(
    operation: str, norm: str
) -> None:
    stage = OPERATIONS[operation]
    for csp in (0.25, 0.5, 1):
        partial = plan({**stage, "csp": csp}, norm=norm)
        network = Network(partial)
        assert network(torch.randn(2, 3, 9, 9)).shape == (2, 4)
        counted = count(partial)
        assert counted.parameters == sum(p.numel() for p in network.parameters())
        head, whole = partial.parts[-1].layers[0], plan(stage, norm=norm).parts[-1].layers[0]
        assert head.arguments["in_channels"] == whole.arguments["in_channels"]


def test_a_smaller_part_costs_less() -> None:
    costs = [count(plan({**UNIT, "layers": 8, "csp": csp})).macs for csp in (0.25, 0.5, 1)]
    assert all(small < large for small, large in pairwise(costs))


def test_no_part_is_the_stage_as_it_is() -> None:
    with_key, without = section({**UNIT, "csp": 0}), section(UNIT)
    assert short(with_key) == short(without)
    scale = Scale("full", 9, classes=4)
    plans = [plan_network(Blueprint(network), scale) for network in (with_key, without)]
    assert plans[0] == plans[1]


def test_stages_of_one_layer_each_are_another_network_than_a_partial_stage() -> None:
    one = section({**UNIT, "csp": 0.5})
    two = {**one, "stages": [{**one["stages"][0], "layers": 1, "stride": s} for s in (2, 1)]}
    assert Blueprint(one).fingerprint != Blueprint(two).fingerprint


def test_without_a_stem_the_stages_read_the_image() -> None:
    found = preset("fractalnet_c2")
    made = plan_network(found.blueprint, found.scale)
    assert [part.name for part in made.parts] == [*(f"stage_{i}" for i in range(1, 6)), "head"]
    assert made.parts[0].layers[0].arguments["in_channels"] == 3
    narrow = scaled(found.blueprint.network, Scale("proxy", 32, width=0.25))
    assert narrow["stem"]["channels"] == 0
    assert Network(made)(torch.randn(2, 3, 32, 32)).shape == (2, 10)


def test_groups_of_a_convolution_divide_its_channels() -> None:
    stage = {"operation": "conv", "kernel": 3, "se_ratio": 0, "skip": "none", "groups": 8}
    (layer, _) = plan(stage).parts[1].layers
    assert layer.arguments["groups"] == 4  # from 12 to 16 channels
    assert plan(stage).parts[1].layers[1].arguments["groups"] == 8
