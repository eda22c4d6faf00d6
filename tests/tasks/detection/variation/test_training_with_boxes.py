"""Trainings of detectors in which batches are varied in every way."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.models import build
from evonas.settings import DataSettings, TrainingSettings
from evonas.space import load_space
from evonas.tasks import TASKS
from evonas.training import Progress, load_checkpoint, save_checkpoint, train

MOVES = {"crop": 0.5, "expand": 0.3, "scale": 0.4, "translate": 0.1, "degrees": 5, "fliplr": 0.5}
MIXES = {"mosaic": 0.5, "mixup": 0.3, "cutmix": 0.3, "interpolate": 0.3, "hsv_s": 0.4}
ALL = {**MOVES, **MIXES, "multi_scale": 0.25, "clip_gradients": 1.0, "ema": 0.9, "erasing": 0.2}


@pytest.fixture(scope="module")
def shapes() -> Dataset:
    own = {"images": 60, "classes": 2, "resolution_px": 64}
    return load_data(DataSettings(name="shapes", shapes=own), resolution_px=64)


def network() -> nn.Module:
    """A small detector of two levels, strides 16 and 32."""
    space = load_space("detector")
    scale = replace(space.scales["proxy"], resolution_px=64, classes=2, width=0.25)
    return build(space.decode([0.0] * len(space.genes)), scale, seed=0)


def recipe(**changes: Any) -> TrainingSettings:
    return TrainingSettings(
        **{**TASKS["detection"].recipe, "epochs": 3, "batch_size": 8, **changes}
    )


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.slow
def test_a_training_with_all_heuristics_goes_on_as_if_it_never_stopped(
    shapes: Dataset, tmp_path: Path
) -> None:
    def save(progress: Progress) -> None:
        if progress.epochs_done == 1:
            save_checkpoint(tmp_path / "checkpoint", whole, progress, key="a")

    whole, other = network(), network()
    train(whole, shapes.train, shapes.problem, recipe(**ALL), 3, after_epoch=save)
    saved = load_checkpoint(tmp_path / "checkpoint", other, key="a")
    assert saved is not None
    train(other, shapes.train, shapes.problem, recipe(**ALL), 3, progress=saved)
    assert equal(whole.state_dict(), other.state_dict())


@pytest.mark.slow
def test_every_heuristic_of_detectors_counts(shapes: Dataset) -> None:
    """Each change gives weights that no other change gives."""
    seen: dict[float, str] = {}
    for name, value in {"epochs": 1, **ALL, "progressive": 0.5}.items():
        trained = network()
        changes = {"epochs": 1, "ema": 0.0, "clip_gradients": 0.0, name: value}
        train(trained, shapes.train, shapes.problem, recipe(**changes), 3)
        total = sum(weights.double().abs().sum().item() for weights in trained.parameters())
        assert total not in seen, f"{name} is as {seen[total]}"
        seen[total] = name


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format], ids=str)
def test_batches_of_many_sizes_are_learnt_in_any_layout(
    shapes: Dataset, layout: torch.memory_format
) -> None:
    task, trained = TASKS["detection"], network().train()
    trained.to(memory_format=layout)  # type: ignore[call-overload]
    images, targets = (
        torch.from_numpy(part[:4].copy()) for part in (shapes.train.images, shapes.train.targets)
    )
    generator, sides = torch.Generator().manual_seed(0), set()
    for _ in range(8):
        settings = recipe(multi_scale=0.25, mosaic=0.5)
        made, labels = task.varied(images, targets, shapes.problem, settings, 0, generator)
        made = made.contiguous(memory_format=layout)
        loss = task.loss(trained(made), labels, settings)
        loss.backward()
        sides.add(made.shape[2])
        assert loss.isfinite()
    assert sides == {48, 64, 80}  # odd ones at stride 32 among them
