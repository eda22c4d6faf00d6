import copy

import pytest
import torch
from torch import nn

from evonas.models import build
from evonas.models.presets import preset
from evonas.networks import Scale
from evonas.settings import TrainingSettings
from evonas.training import is_worth_a_probe, network_family, probe
from evonas.training.precision import autocast, in_bfloat16


@pytest.mark.parametrize(
    ("name", "family"), [("mobilenet_v2", "depthwise"), ("mnasnet_b1", "depthwise")]
)
def test_networks_of_depthwise_convolutions_are_a_family(name: str, family: str) -> None:
    scale = Scale("proxy", resolution_px=32, width=0.25, input_channels=3, classes=10)
    assert network_family(build(preset(name).blueprint, scale)) == family


def test_grouped_and_plain_convolutions_are_the_other_family() -> None:
    plain = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3, groups=2), nn.Linear(3, 2))
    assert network_family(plain) == "plain"
    assert network_family(nn.Conv2d(1, 1, 3)) == "plain", "one map in is no depth"
    assert network_family(nn.Sequential(plain, nn.Conv2d(8, 16, 3, groups=8))) == "depthwise"


@pytest.mark.parametrize("decision", [True, False])
@pytest.mark.parametrize(("amp", "answer"), [("on", True), ("off", False), ("auto", None)])
def test_only_auto_leaves_it_to_the_decision(amp: str, answer: bool | None, decision: bool) -> None:
    recipe = TrainingSettings(amp=amp)
    assert in_bfloat16(recipe, decision) is (decision if answer is None else answer)


@pytest.mark.parametrize("bfloat16", [True, False])
def test_convolutions_compute_in_what_was_asked_for(bfloat16: bool) -> None:
    with autocast(torch.device("cpu"), bfloat16):
        out = nn.Conv2d(3, 4, 3)(torch.ones(1, 3, 5, 5))
    assert out.dtype == (torch.bfloat16 if bfloat16 else torch.float32)


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


def test_a_short_training_is_not_worth_a_probe() -> None:
    assert not is_worth_a_probe(steps=100)
    assert is_worth_a_probe(steps=1000)
