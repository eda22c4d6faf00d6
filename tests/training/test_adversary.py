import math
from typing import Any

import pytest
import torch
from detectors import blueprint, detector
from torch import nn

from evonas.models import build
from evonas.networks import Scale
from evonas.networks.detector.heads import HEADS
from evonas.networks.problem import Problem
from evonas.settings import TrainingSettings
from evonas.tasks import TASKS
from evonas.training.adversary import Adversary

MEAN, DEVIATION = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
IMAGES = torch.rand(6, 3, 6, 6, generator=torch.Generator().manual_seed(0))
NORMALISED = (IMAGES - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
TARGETS = torch.arange(6) % 4


def small_network() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, 4)).train()


def attacked(network: nn.Module, bfloat16: bool = False, **recipe: Any) -> torch.Tensor:
    own = TrainingSettings(**{"self_adversarial": 1.0, "self_adversarial_step": 0.02, **recipe})
    problem = Problem("classification", 3, tuple("abcd"), MEAN, DEVIATION)
    return Adversary(network, problem, own, bfloat16).changed(NORMALISED, TARGETS)


def loss(network: nn.Module, images: torch.Tensor) -> float:
    return nn.functional.cross_entropy(network.eval()(images), TARGETS).item()


def test_attacked_images_are_harder_and_no_pixel_leaves_its_range_or_moves_farther() -> None:
    changed = attacked(small_network())
    assert loss(small_network(), changed) > loss(small_network(), NORMALISED) + 0.05
    pixels = changed * torch.tensor(DEVIATION)[:, None, None] + torch.tensor(MEAN)[:, None, None]
    assert (pixels - IMAGES).abs().max().item() == pytest.approx(0.02, abs=1e-5)
    assert pixels.min() >= -1e-6
    assert pixels.max() <= 1 + 1e-6


def test_the_network_is_afterwards_as_it_was() -> None:
    network, untouched = small_network(), small_network()
    network[1].eval()  # as a frozen norm is
    changed = attacked(network)
    assert not changed.requires_grad
    assert [module.training for module in network] == [True, False, True, True, True, True]
    assert all(weights.grad is None for weights in network.parameters())
    torch.testing.assert_close(network.state_dict(), untouched.state_dict(), rtol=0, atol=0)


def test_mini_batches_and_sixteen_bits_make_the_same_attack_but_for_rounding() -> None:
    changed = attacked(small_network())
    torch.testing.assert_close(attacked(small_network(), subdivisions=4), changed)
    in_16_bits = attacked(small_network(), bfloat16=True)
    assert in_16_bits.dtype == torch.float32
    assert (in_16_bits == changed).float().mean() > 0.8


def test_without_attacks_nothing_is_drawn_and_with_some_a_share_of_batches_is_attacked() -> None:
    network = small_network()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert attacked(network, self_adversarial=0.0) is NORMALISED
    assert torch.equal(torch.get_rng_state(), before)
    changed = [attacked(network, self_adversarial=0.3) is not NORMALISED for _ in range(100)]
    assert 20 <= sum(changed) <= 40


@pytest.mark.parametrize("head", [*({"kind": head} for head in HEADS), {"one_to_one": True}])
def test_a_detector_of_any_head_sees_less_in_attacked_images(head: dict[str, object]) -> None:
    network = build(blueprint(detector(head=head)), Scale("proxy", 32, classes=4), 0)
    problem = Problem("detection", 3, tuple("abcd"), MEAN, DEVIATION)
    recipe = TrainingSettings(self_adversarial=1.0, self_adversarial_step=0.01)
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    targets = torch.zeros(2, 1, 6)
    changed = Adversary(network.train(), problem, recipe, False).changed(images, targets)
    with torch.no_grad():
        before, after = (
            TASKS["detection"].deception(network.eval()(seen), targets, recipe)
            for seen in (images, changed)
        )
    assert after > before


def test_a_detector_is_deceived_by_seeing_nothing() -> None:
    boxes, priors = torch.zeros(2, 3, 4), torch.zeros(1, 3, 4)
    logits = torch.full((2, 3, 5), -2.0).requires_grad_()
    outputs = (boxes, logits, torch.zeros(2, 3, 4), priors)
    task, targets = TASKS["detection"], torch.zeros(2, 1, 6)
    deception = task.deception(outputs, targets, TrainingSettings())
    assert deception.item() == pytest.approx(-30 * math.log1p(math.exp(-2)))
    (gradient,) = torch.autograd.grad(deception, logits)
    assert (gradient < 0).all()
