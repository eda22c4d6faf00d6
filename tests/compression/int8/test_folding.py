import pytest
import torch
from small_networks import SHAPE, drawn, images, seasoned
from torch import nn

from evonas.compression.int8.folding import folded
from evonas.compression.int8.traced_graph import Graph, GraphNetwork, graph_of
from evonas.exporters.agreement import largest_difference, outputs_of
from evonas.models import deployed
from evonas.models.norms import GroupNorm
from evonas.space import known_spaces, load_space

NORM = "native_batch_norm"


def assert_folded(network: nn.Module, names: tuple[str, ...], shape: tuple[int, int, int]) -> Graph:
    graph = folded(graph_of(network, names, shape))
    other = GraphNetwork(graph, names, names)
    for count in (1, 3):
        given = images(count, shape)
        assert largest_difference(outputs_of(network, given), outputs_of(other, given)) < 1e-5
    return graph


def kinds(graph: Graph) -> list[str]:
    return [operation.kind for operation in graph.operations]


@pytest.mark.parametrize("bias", [True, False])
def test_a_norm_behind_a_convolution_is_part_of_it(bias: bool) -> None:
    network = seasoned(nn.Sequential(nn.Conv2d(8, 4, 3, bias=bias), nn.BatchNorm2d(4), nn.ReLU()))
    assert kinds(assert_folded(network, ("out",), SHAPE)) == ["convolution", "relu"]


def test_a_norm_behind_a_linear_layer_is_part_of_it() -> None:
    layers = (nn.Flatten(), nn.Linear(8 * 12 * 12, 5), nn.BatchNorm1d(5, affine=False))
    graph = assert_folded(seasoned(nn.Sequential(*layers)), ("out",), SHAPE)
    assert kinds(graph) == ["view", "t", "addmm"]


class Twice(nn.Module):
    """What a convolution gives is read by its norm and by something else."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(8, 4, 1), nn.BatchNorm2d(4)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        maps = self.convolution(maps)
        return maps + self.norm(maps)


class Shared(nn.Module):
    """A convolution with two norms, each for one of its uses."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(8, 8, 1)
        self.one, self.other = nn.BatchNorm2d(8), nn.BatchNorm2d(8)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.other(self.convolution(self.one(self.convolution(maps)).relu()))


def test_only_norms_that_alone_read_a_layer_are_folded() -> None:
    assert NORM in kinds(assert_folded(seasoned(Twice()), ("out",), SHAPE))
    first = seasoned(nn.Sequential(nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1)))
    assert NORM in kinds(assert_folded(first, ("out",), SHAPE))
    grouped = seasoned(nn.Sequential(nn.Conv2d(8, 4, 1), GroupNorm(4)))
    assert "native_group_norm" in kinds(assert_folded(grouped, ("out",), SHAPE))


def test_a_shared_layer_has_weights_for_each_norm() -> None:
    graph = assert_folded(seasoned(Shared()), ("out",), SHAPE)
    assert kinds(graph) == ["convolution", "relu", "convolution"]
    assert len(graph.weights) == 4


@pytest.mark.parametrize("name", [n for n in known_spaces() if load_space(n).has_network])
def test_designs_of_all_spaces_without_their_norms(name: str) -> None:
    network, shape = drawn(name, seed=1)
    plan = network.plan.as_deployed()
    before = graph_of(deployed(network), plan.outputs, shape)
    after = assert_folded(deployed(network), plan.outputs, shape)
    assert kinds(after).count(NORM) < max(1, kinds(before).count(NORM))
