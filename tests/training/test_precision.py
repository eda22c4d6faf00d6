import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from evonas.blueprint import plan_network
from evonas.models import Network
from evonas.networks import Scale
from evonas.networks.plan import Layer, Part, Plan
from evonas.settings import TrainingSettings
from evonas.space import known_spaces, load_space
from evonas.training import is_worth_a_probe, network_family, probe

SCALE = Scale("proxy", resolution_px=32, width=0.25, input_channels=3, classes=10)


def convolution(groups: int, in_channels: int = 8) -> Layer:
    shape = {"in_channels": in_channels, "out_channels": 16, "kernel": 3}
    return Layer("ConvNormActivation", {**shape, "groups": groups})


def family(*layers: Layer) -> str:
    return network_family(Plan((Part("part", layers),), (8, 16, 16), ("part",)))


def test_grouped_and_plain_convolutions_are_the_other_family() -> None:
    assert family(convolution(1), convolution(2)) == "plain"
    assert family(convolution(1, in_channels=1)) == "plain", "one map in is no depth"
    assert family(convolution(1), convolution(8)) == "depthwise"


def test_layers_are_found_in_others() -> None:
    dropped = Layer("Dropped", {"operation": convolution(8), "probability": 0.1})
    node = Layer(
        "Node", {"operations": [convolution(1), dropped], "states": [0, 0], "combine": "add"}
    )
    assert family(node) == "depthwise"


@pytest.mark.parametrize("name", known_spaces())
def test_a_plan_is_of_the_family_of_its_network(name: str) -> None:
    space = load_space(name)
    scale = replace(space.scales["proxy"], input_channels=3, classes=10)
    rng = np.random.default_rng(0)
    for _ in range(4):
        plan = plan_network(space.decode(space.sample(rng)), scale)
        with torch.device("meta"):
            layers = list(Network(plan).modules())
        found = (own for own in layers if isinstance(own, nn.Conv2d) and own.in_channels > 1)
        is_deep = any(own.groups == own.in_channels for own in found)
        assert network_family(plan) == ("depthwise" if is_deep else "plain")


class Slow(nn.Module):
    """A layer that takes hundreds of times longer in one of the two types than in the other."""

    def __init__(self, slow_in: torch.dtype) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3)
        self.slow_in = slow_in

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        out = self.layer(images)
        if out.dtype == self.slow_in:
            ballast = torch.ones(256, 256)
            for _ in range(20):
                ballast = ballast @ ballast / 256
        return out


def test_the_probe_finds_the_faster_type_and_leaves_the_network_alone() -> None:
    torch.manual_seed(3)
    images = torch.rand(2, 3, 5, 5)
    for slow_in, answer in ((torch.float32, True), (torch.bfloat16, False)):
        network = nn.Sequential(Slow(slow_in), nn.BatchNorm2d(4)).eval()
        before = copy.deepcopy(network.state_dict())
        state = torch.get_rng_state()
        assert probe(network, images, torch.device("cpu")) is answer
        assert all(map(torch.equal, before.values(), network.state_dict().values()))
        assert all(weights.grad is None for weights in network.parameters())
        assert not network.training
        assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("recipe", "images", "macs", "answer"),
    [
        ({"epochs": 3, "batch_size": 32}, 45_000, 5_000_000, True),
        ({"epochs": 3, "batch_size": 32}, 45_000, 200_000, False),  # of a tiny network
        ({"epochs": 3, "batch_size": 32}, 1_000, 500_000_000, False),  # of 94 steps
        ({"epochs": 9, "batch_size": 32}, 1_000, 500_000_000, True),  # of 281
        ({"epochs": 9, "batch_size": 64}, 1_000, 500_000_000, False),
    ],
)
def test_a_short_training_is_not_worth_a_probe(
    recipe: dict[str, int], images: int, macs: int, answer: bool
) -> None:
    assert is_worth_a_probe(TrainingSettings.model_validate(recipe), images, macs) is answer
