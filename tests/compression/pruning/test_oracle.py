"""What belongs to a channel, and what is left without it, as torch-pruning has them.

It follows plain residual, dense and concatenating networks; not shortcuts that are filled up with
zeros, parts of the channels, groups that become fewer, and rows of points of a detector.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch_pruning
from conftest import a_network, a_stage
from sections import a_section, designs, published
from silenced import gone, lively_network, narrow_network, some_kept
from torch import nn

from evonas.compression.pruning.matching import Coupling
from evonas.models import Network
from evonas.networks import narrowed
from evonas.networks import planned as plan_of

Weights = set[tuple[str, int, int]]  # of one channel: tensor, axis, index
Graph = torch_pruning.DependencyGraph

NETWORKS = {
    "a design of cells": next(designs("mobile_cells")),
    "residual stages": a_section(
        a_network(
            a_stage(operation="residual", mid_ratio=0.5, layers=2),
            a_stage(operation="bottleneck", mid_ratio=0.5, channels=32, stride=2, layers=3),
            a_stage(se_ratio=0.25, channels=32, layers=2),
        )
    ),
    "dense stages": published("densenet_40_12", 8),
    "branches": published("googlenet", 32),
}


@pytest.fixture(scope="module", params=NETWORKS)
def section(request: pytest.FixtureRequest) -> dict[str, Any]:
    return NETWORKS[request.param]


@pytest.fixture(scope="module")
def coupling(section: dict[str, Any]) -> Coupling:
    return Coupling(plan_of(section), plan_of(narrowed(section, [0.5])))


@pytest.fixture
def network(section: dict[str, Any]) -> Network:
    return lively_network(plan_of(section))


def graph_of(network: Network) -> Graph:
    return Graph().build_dependency(network, torch.zeros(1, *network.plan.input_shape))


def convolutions(network: Network) -> Iterator[tuple[str, nn.Conv2d]]:
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            yield name, module


def group_of(graph: Graph, layer: nn.Module, channels: list[int]) -> Any:
    prune = graph.get_pruner_of_module(layer).prune_out_channels
    return graph.get_pruning_group(layer, prune, channels)


def with_channel(coupling: Coupling, convolution: str, channel: int) -> Weights:
    """All that is one channel with that of a convolution."""
    side = coupling.large
    label = side.labels[side.axes[f"{convolution}.weight"].out.flatten()[channel]]
    return {
        (name, axis, int(index))
        for name, axes in side.axes.items()
        for axis, channels in enumerate((axes.out, axes.into))
        if channels is not None
        for index in np.flatnonzero(side.labels[channels.flatten().numpy()] == label)
    }


def in_group(graph: Graph, network: Network, convolution: str, channel: int) -> Weights:
    """The same as torch-pruning has it."""
    names, state = {id(m): name for name, m in network.named_modules()}, network.state_dict()
    found: Weights = set()
    for step, indices in group_of(graph, network.get_submodule(convolution), [channel]):
        layer = names.get(id(step.target.module), "")
        axis = 0 if graph.is_out_channel_pruning_fn(step.handler) else 1
        keys = ("weight", "bias", "running_mean", "running_var") if axis == 0 else ("weight",)
        tensors = [f"{layer}.{key}" for key in keys if f"{layer}.{key}" in state]
        found |= {(tensor, axis, int(index)) for tensor in tensors for index in indices}
    return found


def test_a_channel_is_what_belongs_together_in_a_graph_of_dependencies(
    coupling: Coupling, network: Network
) -> None:
    graph = graph_of(network)
    for name, layer in convolutions(network):
        for channel in (0, layer.out_channels // 2):
            expected = in_group(graph, network, name, channel)
            assert with_channel(coupling, name, channel) == expected


def test_a_network_without_channels_gives_the_same_by_a_graph_of_dependencies(
    coupling: Coupling, network: Network
) -> None:
    kept = some_kept(coupling)
    narrow, is_gone = narrow_network(coupling, network, kept), gone(coupling, kept)
    graph = graph_of(network)
    for name, layer in convolutions(network):
        if layer.out_channels > narrow.get_submodule(name).out_channels:
            channels = coupling.large.axes[f"{name}.weight"].out.flatten()
            group_of(graph, layer, is_gone[channels].nonzero().flatten().tolist()).prune()
    images = torch.randn(2, *network.plan.input_shape, generator=torch.Generator().manual_seed(1))
    shapes = [[each.shape for each in net.parameters()] for net in (network, narrow)]
    assert shapes[0] == shapes[1]
    torch.testing.assert_close(network(images), narrow(images))
