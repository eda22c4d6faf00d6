"""The step: what is planned of a network, and what becomes of a trained one."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from conftest import SHAPES, a_network, a_stage
from detectors import detector
from detectors import stage as plain

from evonas.blueprint import Blueprint, scaled_network
from evonas.compression import STEPS
from evonas.compression.finetuning import finetuning
from evonas.compression.pruning import METHODS
from evonas.compression.pruning.importance import IMPORTANCE
from evonas.compression.step import Compressed, StepKit
from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.errors import BuildError
from evonas.models import Network, count, initialise
from evonas.networks import Scale, tidied
from evonas.networks import planned as plan_of
from evonas.settings import CompressionSettings, DataSettings, TrainingSettings, Words
from evonas.tasks import TASKS
from evonas.training import evaluate, train

CPU = torch.device("cpu")
SCALE = Scale("proxy", 8, input_channels=1)
RECIPE = TrainingSettings(epochs=5, batch_size=20, auxiliary=0.0)
STAGES = [a_stage(channels=24, layers=2), a_stage(channels=32, layers=3, stride=2)]
STEP = STEPS["pruning"]


def a_section(*stages: dict[str, Any], **more: Any) -> dict[str, Any]:
    stem = {"channels": 16, "kernel": 3, "stride": 1}
    return scaled_network(Blueprint(a_network(*stages, stem=stem, **more)), SCALE)


SECTION = a_section(*STAGES)


def settings(method: str, **own: Any) -> CompressionSettings:
    return CompressionSettings.model_validate({"pruning": {"method": method, **own}})


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_data(DataSettings(name="digits", subset=1200), resolution_px=8)


@pytest.fixture(scope="module")
def kit(digits: Dataset) -> StepKit:
    return StepKit(settings("none"), RECIPE, SECTION, digits.train, digits.problem, 0, CPU)


@pytest.fixture(scope="module")
def trained(kit: StepKit) -> Network:
    return _trained(kit)


def _trained(kit: StepKit) -> Network:
    network = Network(plan_of(kit.section))
    initialise(network, 0)
    train(network, kit.images, kit.problem, kit.recipe, seed=0)
    return network.eval()


def pruned(network: Network, kit: StepKit, method: str, **own: Any) -> Compressed:
    kit = replace(kit, settings=settings(method, **own))
    return STEP.applied(Compressed(kit.section, copy.deepcopy(network)), kit)


def accuracy(network: torch.nn.Module, digits: Dataset) -> float:
    return evaluate(network, digits.validation, digits.problem, RECIPE)["accuracy"]


CHANGES = {"channels": 0.4, "depth": 0.5, "weights": 0.7}


@pytest.mark.parametrize("method", METHODS)
def test_what_is_planned_is_what_comes_of_it(
    method: str, trained: Network, kit: StepKit, digits: Dataset
) -> None:
    asked = settings(method, ratio=CHANGES[method])
    before = accuracy(trained, digits)
    made = pruned(trained, kit, method, ratio=CHANGES[method])
    assert made.section == STEP.planned(SECTION, asked)
    assert isinstance(made.network, Network)
    assert made.network.plan == plan_of(made.section)
    assert accuracy(made.network, digits) > 0.9 * before > 0.8


@pytest.mark.parametrize("method", ["channels", "depth"])
def test_work_is_saved(method: str) -> None:
    section = STEP.planned(SECTION, settings(method, ratio=0.5))
    assert count(plan_of(section)).macs < 0.8 * count(plan_of(SECTION)).macs


def test_the_same_seed_gives_the_same_weights(trained: Network, kit: StepKit) -> None:
    made = [pruned(trained, kit, "channels", rounds=2, importance="taylor") for _ in range(2)]
    first, second = (each.network.state_dict() for each in made)
    assert all(torch.equal(first[name], second[name]) for name in second)


@pytest.mark.parametrize("importance", IMPORTANCE)
def test_channels_that_do_nothing_go_first(
    importance: str, trained: Network, kit: StepKit, digits: Dataset
) -> None:
    network = copy.deepcopy(trained)
    with torch.no_grad():
        for name in ("0.weight", "1.weight", "1.bias"):
            network.get_parameter(f"head.convolution.{name}")[10:42] = 0
        network.get_parameter("head.classifier.0.weight")[:, 10:42] = 0
    share = {"ratios": (0.01, 0.5)}  # of the head as of the last stage
    narrow = pruned(network, kit, "channels", epochs=0, importance=importance, **share).network
    kept = [*range(10), *range(42, 64)]
    weights = [each.get_parameter("head.classifier.0.weight") for each in (network, narrow)]
    assert torch.equal(weights[0][:, kept], weights[1])


def test_rounds_come_to_the_same_widths(trained: Network, kit: StepKit) -> None:
    made = [pruned(trained, kit, "channels", rounds=n, ratio=0.5, epochs=0) for n in (1, 3)]
    assert made[0].section == made[1].section


@pytest.mark.parametrize("optimizer", ["nesterov", "adamw", "muon"])
def test_weights_that_are_gone_stay_so(optimizer: Any, trained: Network, kit: StepKit) -> None:
    recipe = kit.recipe.model_copy(update={"optimizer": optimizer, "ema": 0.9})
    made = pruned(trained, replace(kit, recipe=recipe), "weights", ratio=0.6, epochs=0.2)
    zeros = [
        float((tensor == 0).float().mean())
        for tensor in made.network.parameters()
        if tensor.dim() == 4
    ]
    assert zeros == pytest.approx([0.6] * len(zeros), abs=0.01)
    assert made.section == SECTION


def test_a_detector_is_pruned_and_fine_tuned() -> None:
    words = Words(["data=shapes", *SHAPES[1:], "data.shapes.images=100"])
    data = load_data(words.read()[0].data, resolution_px=32)
    backbone = {
        "stem": {"channels": 16, "kernel": 3, "stride": 2},
        "stages": [plain(16), plain(24), plain(32, layers=2, skip="identity")],
    }
    network = tidied(detector(backbone=backbone, neck={"width": 24}))[0]
    section = scaled_network(Blueprint(network), Scale("proxy", 32, classes=2))
    recipe = TrainingSettings(**{**TASKS["detection"].recipe, "epochs": 2, "ema": 0.0})
    kit = StepKit(settings("none"), recipe, section, data.train, data.problem, 0, CPU)
    made = pruned(_trained(kit), kit, "channels", importance="taylor", ratio=0.5)
    scores = evaluate(made.network, data.validation, data.problem, recipe)
    assert set(scores) >= {"map50", "loss"}
    assert count(plan_of(made.section)).macs < count(plan_of(section)).macs


@pytest.mark.parametrize(
    ("stages", "own", "reason"),
    [
        ([a_stage(channels=8)], {"ratio": 0.05}, "has 1.* MACs, and 1.* too small to be pruned"),
        ([a_stage(skip="none")], {"method": "depth"}, "no block of this network can go"),
        ([a_stage()], {"ratios": (0.1, 0.2)}, "ratios has 2 shares"),
    ],
)
def test_what_cannot_be_pruned_is_refused_before_a_training(
    stages: Sequence[dict[str, Any]], own: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BuildError, match=reason):
        STEP.planned(a_section(*stages), settings(**{"method": "channels", **own}))


def test_a_fine_tuning_is_a_short_training_at_a_part_of_the_rate() -> None:
    recipe = finetuning(TrainingSettings(epochs=30, lr_factor=2, patience=3), 6)
    assert (recipe.epochs, recipe.warmup_epochs, recipe.patience) == (6, 0, None)
    assert recipe.lr_factor == pytest.approx(0.6)
