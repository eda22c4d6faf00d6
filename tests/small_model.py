"""Small exported models, and what their weights are."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from conftest import SHAPES, SMALL_DETECTOR

from evonas.blueprint import Blueprint, scaled_network
from evonas.delivery.model_writer import Model, write_model
from evonas.exporters.file_names import CHECK, WEIGHTS
from evonas.key import checksum
from evonas.model_folder.recipe_file import InputSettings, OriginSettings, Recipe
from evonas.models import build
from evonas.settings import DataSettings, TrainingSettings, Words
from evonas.space import Scale, load_space
from evonas.tasks import TASKS

SCALE = Scale("proxy", resolution_px=8, width=0.5, smallest_map_px=4, input_channels=1)
WORDS = ["data.subset=200", "training.epochs=3", "training.batch_size=20"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder as an export writes it."""
    recipe = Recipe(
        data=DataSettings(),
        input=InputSettings(channels=1, resolution_px=8, mean=(0.3,), deviation=(0.4,)),
        classes=tuple("0123456789"),
        training=TrainingSettings(amp="off"),
        seed=3,
        origin=OriginSettings(run="a", trial=0, scale="proxy"),
    )
    return _written(tmp_path_factory.mktemp("model"), "nano", SCALE, recipe)


@pytest.fixture(scope="module")
def made_detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of a detector."""
    data = Words(["data=shapes", *SHAPES]).read()[0].data
    scale = Scale("proxy", resolution_px=32, classes=data.shapes.classes)
    recipe = Recipe(
        task="detection",
        data=data,
        input=InputSettings(
            channels=3, resolution_px=32, mean=(0.5, 0.5, 0.5), deviation=(0.3, 0.3, 0.3)
        ),
        classes=("circle", "square"),
        training=TrainingSettings(**{**TASKS["detection"].recipe, "amp": "off"}),
        seed=3,
        origin=OriginSettings(run="a", trial=0, scale="proxy"),
    )
    return _written(tmp_path_factory.mktemp("detector"), str(SMALL_DETECTOR), scale, recipe)


def _written(folder: Path, space: str, scale: Scale, recipe: Recipe) -> Path:
    known = load_space(space)
    blueprint: Blueprint = known.decode([1.0] * len(known.genes))
    section = scaled_network(blueprint, scale)
    facts: dict[str, Any] = {"measures": {}, "scales": {}, "genes": {}, "section": section}
    facts["size"] = scale.to_dict()
    network = build(blueprint, scale, seed=3)
    model = Model(recipe, blueprint.to_dict(), facts, network)
    write_model(folder, model, lambda network, onnx: {"ms": 1.0, "pairs": 1})
    return folder


@pytest.fixture
def detector(made_detector: Path, working_folder: Path) -> Path:
    return Path(shutil.copytree(made_detector, working_folder / "detector"))


@pytest.fixture
def model(made: Path, working_folder: Path) -> Path:
    return Path(shutil.copytree(made, working_folder / "model"))


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(folder / "weights.safetensors")


def put_other_weights(folder: Path) -> None:
    """Weights that differ, as evonas would have written them."""
    others = {n: (tensor * 0.9).to(tensor.dtype) for n, tensor in weights_of(folder).items()}
    content = safetensors.torch.save(others)
    (folder / WEIGHTS).write_bytes(content)
    checks = json.loads((folder / CHECK).read_text())
    checks["sha256"][WEIGHTS] = checksum(content)
    (folder / CHECK).write_text(json.dumps(checks))
