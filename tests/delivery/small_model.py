"""A small exported model, and what its weights are."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from evonas.blueprint import Blueprint
from evonas.delivery.model_writer import Model, write_model
from evonas.delivery.recipe_file import InputSettings, OriginSettings, Recipe
from evonas.models import build
from evonas.settings import DataSettings, TrainingSettings
from evonas.space import Scale, load_space

SCALE = Scale("proxy", resolution_px=8, width=0.5, smallest_map_px=4, input_channels=1)
WORDS = ["data.subset=200", "training.epochs=3", "training.batch_size=20"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder as an export writes it."""
    space = load_space("nano")
    blueprint: Blueprint = space.decode([1.0] * len(space.genes))
    folder = tmp_path_factory.mktemp("model")
    recipe = Recipe(
        data=DataSettings(),
        input=InputSettings(channels=1, resolution_px=8),
        classes=tuple("0123456789"),
        training=TrainingSettings(amp="off"),
        seed=3,
        origin=OriginSettings(run="a", trial=0, scale="proxy"),
    )
    facts: dict[str, Any] = {"measures": {}, "scales": {}, "genes": {}}
    network = build(blueprint, SCALE, seed=3)
    model = Model(recipe, blueprint.to_dict(), facts, network)
    write_model(folder, model, lambda network, onnx: {"ms": 1.0, "pairs": 1})
    return folder


@pytest.fixture
def model(made: Path, working_folder: Path) -> Path:
    return Path(shutil.copytree(made, working_folder / "model"))


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(folder / "weights.safetensors")
