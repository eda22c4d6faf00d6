"""A model as a folder of files that need no evonas, and the proof that they agree."""

import importlib.util
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from evonas.errors import ExportError
from evonas.exporters.agreement import TOLERANCE, largest_difference, onnx_agreement
from evonas.exporters.file_names import CHECK, ONNX, RECIPE, SOURCE, WEIGHTS
from evonas.exporters.onnx import onnx_model
from evonas.files import write_atomically
from evonas.settings import DataSettings, Group, TrainingSettings, validate
from evonas.yaml_file import read_yaml, write_yaml

CHECKED_IMAGES = 4


class InputSettings(Group):
    """What the network takes: image size, and how 0..1 values are normalised per channel."""

    channels: int
    resolution_px: int
    mean: tuple[float, ...] | None = None
    deviation: tuple[float, ...] | None = None


class OriginSettings(Group):
    """Where the design comes from."""

    run: str
    trial: int
    scale: str


class Recipe(Group):
    """recipe.yaml: all that a retraining needs beside the images."""

    data: DataSettings | None
    input: InputSettings
    classes: tuple[str, ...]
    training: TrainingSettings
    seed: int
    origin: OriginSettings


def read_recipe(folder: Path) -> Recipe:
    """The recipe of a model folder.

    Raises:
        ExportError: The folder is no model folder.
        SettingsError: The recipe has mistakes.
    """
    if not (folder / RECIPE).exists() or not (folder / SOURCE).exists():
        raise ExportError(f"{folder} is no model folder: it lacks {RECIPE} or {SOURCE}.")
    values, _ = read_yaml(folder / RECIPE, ExportError)
    recipe: Recipe = validate(Recipe, values, str(folder / RECIPE))
    return recipe


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Writes recipe.yaml."""
    write_yaml(folder / RECIPE, recipe.model_dump(mode="json"))


@dataclass(frozen=True)
class Source:
    """What model.py defines."""

    network: nn.Module
    example: torch.Tensor


def load_source(folder: Path) -> Source:
    """The network that the folder's model.py defines, with weights of its own making.

    Runs that file: it is code that evonas wrote and its owner may have changed.

    Raises:
        ExportError: The file does not define what it should.
    """
    spec = importlib.util.spec_from_file_location("evonas_exported_model", folder / SOURCE)
    assert spec is not None, "a path to a .py file has a spec"
    assert spec.loader is not None, "a path to a .py file has a loader"
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        return Source(module.Network(), module.example_input())
    except Exception as problem:
        raise ExportError(f"{folder / SOURCE} does not work: {problem!r}.") from problem


def write_weights(folder: Path, network: nn.Module) -> None:
    """Writes weights.safetensors, all or nothing."""
    state = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_atomically(folder / WEIGHTS, safetensors.torch.save(state))


def write_onnx_and_check(
    folder: Path,
    network: nn.Module,
    input_shape: tuple[int, int, int],
    latency: Callable[[nn.Module, bytes], Mapping[str, Any]],
) -> dict[str, Any]:
    """Writes model.onnx and check.json from a network whose source and weights lie there already.

    Args:
        latency: Measures the network, or the ONNX model made of it.

    Returns:
        What check.json holds.

    Raises:
        ExportError: Source, weights and ONNX do not give the same numbers.
    """
    network = network.cpu().eval()
    model = onnx_model(network, input_shape, batch=None)
    write_atomically(folder / ONNX, model)
    source = load_source(folder)
    source.network.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
    source.network.eval()
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(CHECKED_IMAGES, *input_shape, generator=generator)
    agreement = onnx_agreement(network, model, images)
    with torch.no_grad():
        by_source = largest_difference(network(images), source.network(images))
        outputs = network(source.example)[0]
    checks = {
        "onnx_max_abs_difference": agreement.difference,
        "source_max_abs_difference": by_source,
        "images": CHECKED_IMAGES,
        "example_output": outputs.tolist(),
        "latency": dict(latency(network, model)),
    }
    if agreement.rounding is not None:
        checks["onnx_rounding"] = agreement.rounding
    for form in ("onnx", "source"):
        difference = checks[f"{form}_max_abs_difference"]
        if not difference <= TOLERANCE:
            raise ExportError(
                f"The {form} form of the network differs by {difference:.2g} from the network "
                f"itself, and at most {TOLERANCE:g} is right. Nothing was exported."
            )
    text = json.dumps(checks, indent=2, allow_nan=False) + "\n"
    write_atomically(folder / CHECK, text.encode())
    return checks
