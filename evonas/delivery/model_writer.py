"""A model folder written as a whole, and the proof that its forms agree."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from evonas.delivery.card import card
from evonas.delivery.counts import counts
from evonas.delivery.final_compression import SECTION
from evonas.delivery.form_checks import form_checks, ladder_checks, packed_checks
from evonas.delivery.ladder import Ladder
from evonas.delivery.suppressed_model import suppressed_model
from evonas.exporters.file_names import (
    BLUEPRINT,
    CARD,
    CHECK,
    FACTS,
    FILES,
    ONNX_NMS,
    PACKED,
    RECIPE,
    SOURCE,
    TRAINING,
    WEIGHTS,
)
from evonas.exporters.forms import FORMS, source_with
from evonas.exporters.packed_weights import load_packed
from evonas.exporters.weights import weights_of
from evonas.files import write_atomically
from evonas.key import checksum
from evonas.model_folder.model_folder import CHECKSUMS, INTERFACE
from evonas.model_folder.recipe_file import Recipe, recipe_text
from evonas.model_folder.replacement import replacing
from evonas.models import deployed
from evonas.reports.flip_test import flip_latency
from evonas.reports.training_pictures import pictures

# Measures the network, or a file of it that the second argument has by name.
MeasureLatency = Callable[[nn.Module, Mapping[str, bytes]], Mapping[str, Any]]


@dataclass(frozen=True)
class Model:
    """What a model folder is written from; the other files follow from it.

    `facts` are measures, scales and genes of the search, and the section of the network. Of a
    retraining, `training` is what came of it, `source` is model.py, which stays as it was, and
    `also` has other files by name. Of a trained model `ladder` has its forms, the last of which is
    written; `network` is that form's. Forms are compared on `images`, normalised; without,
    on random numbers.
    """

    recipe: Recipe
    blueprint: Mapping[str, Any]
    facts: Mapping[str, Any]
    network: nn.Module
    training: Mapping[str, Any] | None = None
    source: bytes | None = None
    also: Mapping[str, bytes] = field(default_factory=dict)
    ladder: Ladder | None = None
    images: torch.Tensor | None = None


def write_model(
    folder: Path, model: Model, latency: MeasureLatency | None = None
) -> dict[str, Any]:
    """Writes all files of a model folder, or none: then those that were there stay.

    Args:
        latency: For models without a ladder, which knows it.

    Returns:
        What check.json holds.

    Raises:
        ExportError: A form does not give the numbers of the network.
    """
    with replacing(folder, FILES) as staged:
        network = model.network.cpu().eval()
        contents = {
            BLUEPRINT: json_text(model.blueprint),
            RECIPE: recipe_text(model.recipe).encode(),
            FACTS: json_text(model.facts),
            WEIGHTS: weights_of(network),
            **model.also,
            **(model.ladder.last.contents if model.ladder else {}),
        }
        if PACKED in contents:
            contents[SOURCE] = source_with(network, load_packed)
        elif model.source is not None:
            contents[SOURCE] = model.source
        if model.training is not None:
            contents[TRAINING] = json_text(model.training)
            contents |= pictures(model.training)
        for form in FORMS.values():
            if form.file not in contents:
                contents[form.file] = form.write(network, model.recipe.input.shape, None)
        suppressed = suppressed_model(network, model.recipe)
        contents |= {} if suppressed is None else {ONNX_NMS: suppressed}
        checks = {
            **form_checks(network, contents, model.recipe, model.images),
            **ladder_checks(model.ladder, model.recipe, model.images),
            **packed_checks(network, contents, model.recipe, model.images),
            "latency": _latency(model, latency, contents),
            **counts(network, model.facts.get(SECTION)),
            INTERFACE: model.recipe.interface,
            CHECKSUMS: {name: checksum(content) for name, content in contents.items()},
        }
        contents[CHECK] = json_text(checks)
        contents[CARD] = card(model.recipe, model.facts, checks, model.training).encode()
        for name, content in contents.items():
            write_atomically(staged / name, content)
    for name in {*FILES} - {*contents}:  # of an earlier retraining
        (folder / name).unlink(missing_ok=True)
    return checks


def model_files(folder: Path) -> list[str]:
    """The paths of all files of a model folder that are there."""
    return [str(folder / name) for name in FILES if (folder / name).is_file()]


def json_text(values: Mapping[str, Any]) -> bytes:
    """One JSON document, ending with a line feed."""
    return (json.dumps(values, indent=2, allow_nan=False) + "\n").encode()


def _latency(
    model: Model, measure: MeasureLatency | None, contents: Mapping[str, bytes]
) -> dict[str, Any]:
    """Of what is deployed."""
    if model.ladder is not None:
        found = model.ladder.latency
    else:
        assert measure is not None, "a model without a ladder is measured"
        found = dict(measure(deployed(model.network), contents))
    return found | flip_latency(model.recipe.training, found["ms"])
