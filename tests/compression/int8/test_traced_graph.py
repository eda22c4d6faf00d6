import pytest
import torch
from small_networks import SHAPE, images, seasoned
from torch import nn

from evonas.compression.int8.traced_graph import GraphNetwork, graph_of
from evonas.errors import BuildError


class Weighing(nn.Module):
    """A weight that goes through an operation before a map meets it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps * self.weight.sigmoid() + torch.arange(SHAPE[2])


def test_weights_learn_and_constants_do_not() -> None:
    made = GraphNetwork(graph_of(Weighing(), ["out"], SHAPE), ["out"], ["out"])
    assert [tuple(each.shape) for each in made.parameters()] == [(1,)]
    made(images(2)).sum().backward()
    assert all(each.grad is not None for each in made.parameters())
    torch.testing.assert_close(made(images(2)), Weighing()(images(2)))


def test_the_network_keeps_its_weights_and_its_mode() -> None:
    network = seasoned(nn.Sequential(nn.Conv2d(8, 4, 3), nn.BatchNorm2d(4))).train()
    made = GraphNetwork(graph_of(network, ["out"], SHAPE), ["out"], ["out"])
    with torch.no_grad():
        for each in made.parameters():
            each.zero_()
    assert float(network[0].weight.detach().abs().sum()) > 0


def test_what_mixes_images_is_refused() -> None:
    class Halving(nn.Module):
        def forward(self, maps: torch.Tensor) -> torch.Tensor:
            return maps.view(len(maps) * 2, 4, *SHAPE[1:])

    with pytest.raises(BuildError, match="several images for one"):
        graph_of(Halving(), ["out"], SHAPE)
