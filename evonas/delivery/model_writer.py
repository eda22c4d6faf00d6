"""A model folder written as a whole, and the proof that its forms agree."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from evonas.delivery.card import card
from evonas.delivery.model_folder import CHECKSUMS, INTERFACE
from evonas.delivery.recipe import Recipe, recipe_text
from evonas.delivery.replacement import replacing
from evonas.errors import ExportError
from evonas.exporters.agreement import TOLERANCE, largest_difference, onnx_agreement, outputs_of
from evonas.exporters.file_names import (
    BLUEPRINT,
    CARD,
    CHECK,
    FACTS,
    FILES,
    ONNX,
    RECIPE,
    SOURCE,
    TRAINING,
    WEIGHTS,
)
from evonas.exporters.model_code import Source, run_source
from evonas.exporters.onnx import onnx_model
from evonas.exporters.weights import put_weights, tensors_of, weights_of
from evonas.files import write_atomically
from evonas.key import checksum

CHECKED_IMAGES = 4

# Measures the network, or the ONNX model made of it.
MeasureLatency = Callable[[nn.Module, bytes], Mapping[str, Any]]


@dataclass(frozen=True)
class Model:
    """What a model folder is written from; the other files follow from it.

    `facts` are measures, scales and genes of the search, `training` is what came of a retraining.
    """

    recipe: Recipe
    blueprint: Mapping[str, Any]
    source: bytes
    facts: Mapping[str, Any]
    network: nn.Module
    training: Mapping[str, Any] | None = None


def write_model(folder: Path, model: Model, latency: MeasureLatency) -> dict[str, Any]:
    """Writes all files of a model folder, or none: then those that were there stay.

    Returns:
        What check.json holds.

    Raises:
        ExportError: Source, weights and ONNX do not give the same numbers.
    """
    with replacing(folder, (*FILES, TRAINING)) as staged:
        network = model.network.cpu().eval()
        onnx = onnx_model(network, model.recipe.input.shape, batch=None)
        contents = {
            BLUEPRINT: json_text(model.blueprint),
            RECIPE: recipe_text(model.recipe).encode(),
            SOURCE: model.source,
            FACTS: json_text(model.facts),
            WEIGHTS: weights_of(network),
            ONNX: onnx,
        }
        if model.training is not None:
            contents[TRAINING] = json_text(model.training)
        source = run_source(model.source, folder / SOURCE, *model.recipe.shapes)
        put_weights(source.network, tensors_of(contents[WEIGHTS], folder / WEIGHTS), folder)
        checks = {
            **_agreement(network, source, onnx, model.recipe),
            "latency": dict(latency(network, onnx)),
            INTERFACE: model.recipe.interface,
            CHECKSUMS: {name: checksum(content) for name, content in contents.items()},
        }
        contents[CHECK] = json_text(checks)
        contents[CARD] = card(model.recipe, model.facts, checks, model.training).encode()
        for name, content in contents.items():
            write_atomically(staged / name, content)
    return checks


def model_files(folder: Path) -> list[str]:
    """The paths of all files of a model folder that are there."""
    return [str(folder / name) for name in (*FILES, TRAINING) if (folder / name).is_file()]


def json_text(values: Mapping[str, Any]) -> bytes:
    """One JSON document, ending with a line feed."""
    return (json.dumps(values, indent=2, allow_nan=False) + "\n").encode()


def _agreement(network: nn.Module, source: Source, onnx: bytes, recipe: Recipe) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(CHECKED_IMAGES, *recipe.input.shape, generator=generator)
    agreement = onnx_agreement(network, onnx, images)
    with torch.no_grad():
        by_source = largest_difference(
            outputs_of(network, images), outputs_of(source.network, images)
        )
        outputs = network(source.example)[0]
    differences = {"onnx": agreement.difference, "source": by_source}
    for form, difference in differences.items():
        if not difference <= TOLERANCE:
            raise ExportError(
                f"The {form} form of the network differs by {difference:.2g} from the network "
                f"itself, and at most {TOLERANCE:g} is right. Nothing was exported."
            )
    rounding = {} if agreement.rounding is None else {"onnx_rounding": agreement.rounding}
    return {
        **{f"{form}_max_abs_difference": value for form, value in differences.items()},
        "images": CHECKED_IMAGES,
        "example_output": outputs.tolist(),
        **rounding,
    }
