"""Which weights belong to a channel: without them, the network is one with fewer channels."""

from itertools import islice
from typing import Any

import numpy as np
import pytest
from conftest import a_network, a_stage
from sections import a_chain, a_section, designs, published, shortened
from silenced import check_pruning

from evonas.compression.pruning.matching import Coupling
from evonas.errors import BuildError
from evonas.models import count
from evonas.networks import narrowed
from evonas.networks import planned as plan_of
from evonas.space import known_spaces, load_space

SPACES = [name for name in known_spaces() if load_space(name).has_network]


@pytest.mark.parametrize("name", SPACES)
def test_a_design_of_every_space_is_pruned_of_channels_without_a_trace(name: str) -> None:
    section = next(designs(name))
    check_pruning(section, [0.3])
    macs = [count(plan_of(each)).macs for each in (section, narrowed(section, [0.3]))]
    assert macs[1] < macs[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_more_designs_of_every_space_are_pruned_of_channels_without_a_trace(name: str) -> None:
    for section, share in zip(islice(designs(name), 1, 4), (0.6, 0.5, 0.4), strict=True):
        check_pruning(section, [share])


PRESETS = {
    "resnet20_cifar": 16,
    "mobilenet_v2_035": 32,
    "densenet_40_12": 8,
    "shufflenet_v2": 32,
    "googlenet": 32,
    "fractalnet_c2": 32,
    "vgg11_cifar": 32,
    "lenet5": 32,
}
LARGE_PRESETS = {
    "resnext50_32x4d": 32,
    "resnest14d": 64,
    "efficientnet_b0": 32,
    "dpn68": 32,
    "inception_v3": 96,
    "cspdarknet53": 64,
    "xception": 64,
    "mobilenet_v3_small": 64,
    "shake_shake_26_2x32d": 32,
}


@pytest.mark.parametrize("name", PRESETS)
def test_published_networks_are_pruned_of_channels_without_a_trace(name: str) -> None:
    check_pruning(published(name, PRESETS[name]), [0.5])


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE_PRESETS)
def test_large_published_networks_are_pruned_of_channels_without_a_trace(name: str) -> None:
    section = published(name, LARGE_PRESETS[name], width=0.5)
    check_pruning(shortened(section), [0.3])


def test_each_stage_may_lose_another_share() -> None:
    section = a_section(a_network(*(a_stage(channels=c, stride=2) for c in (32, 64))))
    check_pruning(section, [0.25, 0.75])


def test_groups_of_a_norm_lose_as_many_channels_each() -> None:
    wide = {"channels": 32, "kernel": 3, "stride": 2}
    before = a_section(a_network(a_stage(channels=32, stride=2), norm="group", stem=wide))
    coupling = Coupling(plan_of(before), plan_of(narrowed(before, [0.5])))
    kept = coupling.kept(np.arange(coupling.large.labels.max() + 1.0))
    norm = coupling.large.axes["stage_1.layers.0.1.weight"]
    groups = coupling.large.labels[norm.out.numpy()]
    assert [sum(label in kept.values() for label in group) for group in groups] == [2] * 8


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        (a_chain({"spatial_attention": "pooled"}), "layer_2.convolution.weight reads what depends"),
        (
            a_chain({"lrn": 5}, {"conv": 16, "kernel": 1}),
            "other ones belong together at layer_1",
        ),
        (published("shufflenet_v2_050", 32), "other ones belong together at stage_2"),
    ],
)
def test_networks_that_cannot_lose_channels_are_refused_with_the_reason(
    section: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BuildError, match=reason):
        Coupling(plan_of(section), plan_of(narrowed(section, [0.4])))


def test_networks_of_other_operations_are_told_apart_by_where_they_part() -> None:
    plans = [plan_of(a_section(a_network(a_stage(skip=skip)))) for skip in ("identity", "none")]
    with pytest.raises(BuildError, match=r"something else behind stage_1.layers.0.1: a shortcut"):
        Coupling(*plans)
