"""Blocks that go, and what those that stay compute."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from conftest import a_network, a_stage
from detectors import detector
from detectors import stage as plain

from evonas.blueprint import Blueprint, scaled_network
from evonas.compression.pruning.depth import Depth
from evonas.compression.pruning.method import Cut
from evonas.errors import BuildError
from evonas.models import Network
from evonas.networks import Scale, tidied
from evonas.networks import planned as plan_of

SCALE = Scale("proxy", 16, classes=3)
RESIDUAL = a_stage(operation="residual", mid_ratio=1, layers=3)


def a_section(*stages: dict[str, Any]) -> dict[str, Any]:
    return scaled_network(Blueprint(a_network(*stages)), SCALE)


def shallow(network: Network, section: dict[str, Any], shares: Sequence[float]) -> Network:
    """What is left when the least squares go."""
    cut = Cut(section, Depth().planned(section, shares), tuple(shares))
    Depth().check(cut)
    squares = {name: tensor.detach().square() for name, tensor in network.named_parameters()}
    return Depth().cut(network, cut, squares).eval()


def without(section: dict[str, Any], *norms: str) -> Network:
    """A network whose norms of these names multiply by nothing and add nothing."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Network(plan_of(section)).eval()
    for name in norms:
        for tensor in network.get_submodule(name).parameters():
            torch.nn.init.zeros_(tensor)
    return network


@pytest.mark.parametrize(
    ("stages", "shares", "norms"),
    [
        (
            [RESIDUAL, {**RESIDUAL, "stride": 2, "channels": 32}],
            [0.6],
            ["stage_1.0.branch.2", "stage_1.1.branch.2", "stage_2.2.branch.2"],
        ),
        ([{**RESIDUAL, "skip": "identity"}], [0.3], ["stage_1.0.branch.2"]),
        ([a_stage(layers=3, stride=2)], [0.4], ["stage_1.1.layers.0.1"]),
        (
            [a_stage(channels=32, stride=2), a_stage(channels=32), a_stage(channels=32)],
            [0.5],
            ["stage_2.layers.0.1"],
        ),
        (
            [a_stage(operation="darknet", mid_ratio=0.5, layers=3, csp=0.5, stride=2)],
            [0.5],
            ["stage_1.2.layers.1.layers.1.1"],
        ),
    ],
    ids=["residual", "first", "plain", "whole stages", "parts of the channels"],
)
def test_without_blocks_that_add_nothing_a_network_gives_the_same(
    stages: Sequence[dict[str, Any]], shares: Sequence[float], norms: Sequence[str]
) -> None:
    section = a_section(*stages)
    network = without(section, *norms)
    images = torch.randn(2, 3, 16, 16)
    left = shallow(network, section, shares)
    assert sum(1 for _ in left.modules()) < sum(1 for _ in network.modules())
    torch.testing.assert_close(left(images), network(images))


def test_a_block_with_a_stride_stays_even_if_it_adds_nothing() -> None:
    section = a_section(a_stage(layers=3, stride=2, operation="conv"))
    network = without(section, "stage_1.0.layers.0.1")
    left = shallow(network, section, [0.5])
    assert not left.get_parameter("stage_1.0.layers.0.1.weight").any()


def test_a_detector_loses_blocks_of_its_backbone() -> None:
    backbone = {
        "stem": {"channels": 8, "kernel": 3, "stride": 2},
        "stages": [plain(8), plain(16), plain(24, layers=3, skip="identity")],
    }
    network = tidied(detector(backbone=backbone))[0]
    section = scaled_network(Blueprint(network), Scale("proxy", 32, classes=3))
    large = without(section, "stage_3.1.layers.0.1")
    images = torch.randn(1, 3, 32, 32)
    pairs = zip(shallow(large, section, [0.5])(images), large(images), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other)


def test_a_fractal_network_keeps_its_deepest_column() -> None:
    section = a_section(a_stage(operation="fractal", columns=3, layers=2))
    network = without(section)
    lone = shallow(network, section, [0.5])
    deepest = [f"stage_1.{b}.convolutions.{c}.0.weight" for b in (0, 1) for c in (3, 4, 5, 6)]
    convolutions = [f"stage_1.{block}.convolutions.0.0.weight" for block in range(8)]
    for name, there in zip(convolutions, deepest, strict=True):
        assert torch.equal(lone.get_parameter(name), network.get_parameter(there))


def test_blocks_whose_lack_changes_the_shapes_of_others_do_not_go() -> None:
    before, after = a_section(a_stage(layers=3)), a_section(a_stage(layers=2, channels=24))
    with pytest.raises(BuildError, match="the others of this network have other shapes"):
        Depth().check(Cut(before, after, (0.5,)))
