"""Real short trainings that learn from a teacher, and those that cannot."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from conftest import SHAPES, a_network, a_stage
from detectors import blueprint as detector_of
from detectors import detector
from torch import nn

from evonas.blueprint import Blueprint
from evonas.compression import STEPS
from evonas.compression.distillation import Hint
from evonas.compression.last_maps import last_maps
from evonas.compression.quant_noise import Noise
from evonas.compression.step import StepKit
from evonas.compression.teacher import Teacher
from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.errors import BuildError
from evonas.models import build
from evonas.networks import Scale
from evonas.settings import CompressionSettings, DataSettings, TrainingSettings, Words
from evonas.settings.compression import QuantNoiseSettings
from evonas.tasks import TASKS, task_of
from evonas.tasks.normalisation import normalised
from evonas.tasks.task import outputs_of
from evonas.training import Progress, train
from evonas.training.acceleration import make_pass
from evonas.training.attachment import Attachment

CPU = torch.device("cpu")
SCALE = Scale("proxy", 8, input_channels=1)
RECIPE = TrainingSettings(epochs=4, batch_size=20, auxiliary=0.0, label_smoothing=0.0)
STUDENT = Blueprint(a_network(a_stage(channels=8), stem={"channels": 8, "kernel": 3, "stride": 1}))
TEACHER = Blueprint(a_network(a_stage(channels=24, layers=2)))
STEP = STEPS["distillation"]


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_data(DataSettings(name="digits", subset=1200), resolution_px=8)


def settings(**own: Any) -> CompressionSettings:
    return CompressionSettings.model_validate({"distillation": {"method": "logits", **own}})


def kit(data: Dataset, teacher: Teacher | None, recipe: TrainingSettings, **own: Any) -> StepKit:
    plain = (settings(**own), recipe, {}, data.train, data.problem)
    return StepKit(*plain, seed=0, device=CPU, teacher=teacher)


def lessons(
    data: Dataset, teacher: Teacher, recipe: TrainingSettings = RECIPE, **own: Any
) -> Attachment:
    found = STEP.attachment(kit(data, teacher, recipe, **own))
    assert found is not None
    return found


def teacher_of(digits: Dataset, epochs: int) -> Teacher:
    network = build(TEACHER, SCALE, seed=1)
    if epochs:
        recipe = RECIPE.model_copy(update={"epochs": epochs})
        train(network, digits.train, digits.problem, recipe, seed=1)
    return Teacher(network, digits.problem, 8)


@pytest.fixture(scope="module")
def teacher(digits: Dataset) -> Teacher:
    """Of fresh weights: how one learns does not depend on what there is to learn."""
    return teacher_of(digits, 0)


def student_of(digits: Dataset, *attachments: Attachment) -> nn.Module:
    network = build(STUDENT, SCALE, seed=2)
    train(network, digits.train, digits.problem, RECIPE, 2, attachments=attachments)
    return network.eval()


def agreement(network: nn.Module, teacher: Teacher, digits: Dataset) -> float:
    """The share of validation images that both take for the same."""
    images = normalised(torch.from_numpy(digits.validation.images), digits.problem)
    with torch.no_grad():
        own, other = outputs_of(network(images))[0], teacher(images, digits.problem)[0]
    return (own.argmax(1) == other.argmax(1)).float().mean().item()


@pytest.mark.slow
def test_a_student_says_more_often_what_its_teacher_says(digits: Dataset) -> None:
    teacher = teacher_of(digits, 8)
    alone = agreement(student_of(digits), teacher, digits)
    for method in ("logits", "features"):
        taught = student_of(digits, lessons(digits, teacher, method=method, alpha=0.9))
        assert agreement(taught, teacher, digits) > alone + 0.05


def test_who_is_its_own_teacher_has_nothing_to_learn(digits: Dataset) -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    own = lessons(digits, Teacher(copy.deepcopy(network), digits.problem, 8), alpha=1.0)
    gradients = _gradients(network, own, digits)
    assert max(gradient.abs().max().item() for gradient in gradients) < 1e-6
    half = lessons(digits, Teacher(copy.deepcopy(network), digits.problem, 8), alpha=0.5)
    pairs = zip(_gradients(network, half, digits), _gradients(network, None, digits), strict=True)
    for taught, plain in pairs:
        torch.testing.assert_close(taught, plain / 2)


def _gradients(
    network: nn.Module, attachment: Attachment | None, digits: Dataset
) -> list[torch.Tensor]:
    def loss_of(outputs: tuple[torch.Tensor, ...], targets: torch.Tensor) -> torch.Tensor:
        return task_of(digits.problem).loss(outputs, targets, RECIPE)

    images = normalised(torch.from_numpy(digits.train.images[:20]), digits.problem)
    targets = torch.from_numpy(digits.train.targets[:20].copy())
    acting = [attachment] if attachment else []
    with (attachment or Attachment()).attached(network, CPU, {}):
        make_pass(network, loss_of, RECIPE, CPU, False, attachments=acting)(images, targets)
    return [weights.grad.clone() for weights in network.parameters() if weights.grad is not None]


def test_a_stopped_training_goes_on_as_if_it_had_not_been(
    digits: Dataset, teacher: Teacher
) -> None:
    """The convolutions of the hint are part of what a checkpoint keeps."""
    few = digits.train.part(np.arange(60))

    def trained(network: nn.Module, progress: Progress | None, until: int) -> Progress:
        own = lessons(digits, teacher, method="features")
        given = (network, few, digits.problem, RECIPE, 2, CPU, progress)
        made = train(*given, until=until, attachments=[own])
        assert own.modules == ()
        return made

    whole, parted = (build(STUDENT, SCALE, seed=2) for _ in range(2))
    trained(whole, None, 4)
    progress = trained(parted, None, 2)
    assert "distillation.0.weight" in progress.state
    trained(parted, progress, 4)
    for own, other in zip(whole.parameters(), parted.parameters(), strict=True):
        assert torch.equal(own, other)


@pytest.fixture(scope="module")
def shapes() -> Dataset:
    data = Words(["data=shapes", *SHAPES[1:], "data.shapes.images=100"]).read()[0].data
    return load_data(data, resolution_px=32)


DETECTION = TrainingSettings(
    **{
        **TASKS["detection"].recipe,
        **{"epochs": 3, "lr0": 0.02, "amp": "off", "ema": 0.0, "mosaic": 0.5},
    }
)
DETECTORS = Scale("proxy", 32, classes=2)


@pytest.fixture(scope="module")
def sharp(shapes: Dataset) -> Teacher:
    network = build(detector_of(detector(neck={"width": 16})), DETECTORS, seed=1)
    longer = DETECTION.model_copy(update={"epochs": 10})
    train(network, shapes.train, shapes.problem, longer, seed=1)
    return Teacher(network, shapes.problem, 32)


@pytest.mark.parametrize("method", ["logits", "features"])
@pytest.mark.parametrize("one_to_one", [False, True])
def test_a_detector_learns_from_another(
    shapes: Dataset, sharp: Teacher, method: str, one_to_one: bool
) -> None:
    network = build(detector_of(detector(head={"one_to_one": one_to_one})), DETECTORS, seed=2)
    own = lessons(shapes, sharp, DETECTION, method=method, alpha=1.0)
    progress = train(network, shapes.train, shapes.problem, DETECTION, 2, attachments=[own])
    assert progress.curve[-1] < 0.6 * progress.curve[0]


def test_an_attacked_detector_is_taught_and_distorted_and_goes_on_after_a_stop(
    shapes: Dataset,
) -> None:
    """With mini-batches, CmBN and 16 bits, all at once."""
    more = {"self_adversarial": 0.6, "subdivisions": 2, "batch_norm": "cross_mini_batch"}
    recipe = DETECTION.model_copy(update={**more, "ema": 0.9, "amp": "on", "epochs": 2})
    teacher = build(detector_of(detector()), DETECTORS, seed=1)
    few = shapes.train.part(np.arange(24))

    def trained(network: nn.Module, progress: Progress | None, until: int) -> Progress:
        own = lessons(shapes, Teacher(teacher, shapes.problem, 32), recipe, method="features")
        noise = Noise(QuantNoiseSettings(method="int8", share=0.5), seed=0)
        given = (network, few, shapes.problem, recipe, 2, CPU, progress)
        return train(*given, until=until, attachments=[own, noise])

    whole, parted = (build(detector_of(detector()), DETECTORS, seed=2) for _ in range(2))
    progress = trained(whole, None, 2)
    rest = trained(parted, trained(parted, None, 1), 2)
    assert rest.curve == progress.curve
    other = parted.state_dict()
    assert all(torch.equal(tensor, other[name]) for name, tensor in whole.state_dict().items())


def test_a_teacher_of_other_levels_is_refused_before_the_training(
    shapes: Dataset, sharp: Teacher
) -> None:
    network = build(detector_of(detector(levels=1)), DETECTORS, seed=2)
    own = lessons(shapes, sharp, DETECTION)
    with pytest.raises(BuildError, match=r"strides 8, 16, and the network of 16\. Only detectors"):
        train(network, shapes.train, shapes.problem, DETECTION, 2, attachments=[own])


def test_a_network_without_maps_has_none_to_learn(digits: Dataset, teacher: Teacher) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    own = lessons(digits, teacher, method="features")
    with (
        pytest.raises(BuildError, match=r"a network without maps has none.*Write method=logits"),
        own.attached(network, CPU, {}),
    ):
        pass


def test_the_last_maps_are_those_before_the_head(digits: Dataset) -> None:
    network = build(STUDENT, SCALE, seed=2)
    image = torch.zeros(1, 1, 8, 8)
    with last_maps(network, image) as maps:
        network(torch.zeros(5, 1, 8, 8))
        assert [own.shape for own in maps] == [(5, 8, 8, 8)]
    network(torch.zeros(3, 1, 8, 8))
    assert len(maps[0]) == 5
    both = build(detector_of(detector()), DETECTORS, seed=2)
    with last_maps(both, torch.zeros(1, 3, 32, 32)) as maps:
        assert [own.shape[1:] for own in maps] == [(8, 4, 4), (8, 2, 2)]


def test_without_a_teacher_nothing_acts(digits: Dataset) -> None:
    assert STEP.attachment(kit(digits, None, RECIPE)) is None
    assert not STEP.is_on(CompressionSettings())


@pytest.mark.parametrize(
    ("teacher", "is_wrong"), [("best", False), ("somewhere", False), ("none", True)]
)
def test_a_method_needs_a_teacher(teacher: str, is_wrong: bool) -> None:
    fault = STEP.fault(settings(teacher=teacher))
    assert (fault is not None) == is_wrong
    assert fault is None or "learns from a teacher, and there is none" in fault
    assert STEP.fault(settings(teacher=teacher, method="none")) is None


def test_a_hint_is_a_share_of_what_the_teacher_shows() -> None:
    """Maps of 4 x 4 and 2 x 2 pixels: the larger ones are averaged, and copied by the adapter."""
    own, other = torch.full((1, 1, 4, 4), 3.0), torch.full((1, 1, 2, 2), 2.0)
    hint = Hint([own], [other], 0, CPU, {})
    torch.nn.init.constant_(hint.adapters[0].weight, 1.0)  # type: ignore[arg-type]
    assert hint.loss().item() == pytest.approx((3 - 2) ** 2 / 2**2)
    larger = Hint([10 * own], [10 * other], 0, CPU, {})
    larger.adapters.load_state_dict(hint.adapters.state_dict())
    assert larger.loss().item() == pytest.approx(hint.loss().item())
