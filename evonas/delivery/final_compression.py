"""What is done to the trained network of a model folder: which steps, with what, and on record."""

from collections.abc import Mapping
from typing import Any

import torch

from evonas.compression.step import Section, StepKit
from evonas.compression.teacher import teacher_of
from evonas.data.dataset import Split
from evonas.errors import ExportError
from evonas.exporters.file_names import SOURCE
from evonas.model_folder.model_folder import ModelFolder
from evonas.model_folder.recipe_file import Recipe
from evonas.models import Network
from evonas.settings import CompressionSettings

SECTION, COMPRESSED, TAUGHT_BY = "section", "compressed", "taught_by"  # in search.json
PRUNING = "pruning"  # the step that changes what model.py is


def outstanding(asked: CompressionSettings, facts: Mapping[str, Any]) -> CompressionSettings:
    """The steps that are still to be taken.

    A pruning made model.py what it is, and is not done twice; weights in fewer bits are made of
    each training's weights anew.
    """
    done = facts.get(COMPRESSED, {}).get(PRUNING)
    if done is None or asked.meant().get(PRUNING) != done:
        return asked
    return asked.model_copy(update={PRUNING: CompressionSettings().pruning})


def on_record(
    facts: Mapping[str, Any], section: Section, done: CompressionSettings
) -> dict[str, Any]:
    """The facts of a model once the steps are taken, and its network is that of the section."""
    if not done.meant():
        return dict(facts)
    compressed = {**facts.get(COMPRESSED, {}), **done.meant()}
    return {**facts, SECTION: dict(section), COMPRESSED: compressed}


def rebuilt(folder: ModelFolder, section: Section | None = None) -> Network:
    """The network of a folder with fresh weights, as evonas builds it.

    Steps of compression and other classes need it so.

    Args:
        section: What it is built from in place of the folder's own.

    Raises:
        ExportError: The folder does not say what it is built from, or model.py is another network.
    """
    if not folder.is_as_written(SOURCE):
        raise ExportError(
            f"{folder.path / SOURCE} is not as evonas wrote it, and compression and other classes "
            "work on the network that evonas wrote. Put the old file back, or write "
            "compression.pruning.method=none and so on, and give data of the model's classes."
        )
    return folder.built(section)


def training_device() -> torch.device:
    """Where models are trained: the first GPU, if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def step_kit(
    recipe: Recipe,
    steps: CompressionSettings,
    facts: Mapping[str, Any],
    images: Split,
    bfloat16: bool = False,
) -> StepKit:
    """What the steps work with.

    Args:
        facts: Those of the folder; of an earlier version they have no section, nor are there steps.
        images: Those of the training.

    Raises:
        SettingsError: A teacher is asked for that cannot teach.
    """
    return StepKit(
        steps,
        recipe.training,
        facts.get(SECTION, {}),
        images,
        recipe.problem,
        recipe.seed,
        training_device(),
        is_balanced=recipe.data is not None and recipe.data.class_weights == "balanced",
        bfloat16=bfloat16,
        teacher=teacher_of(steps, recipe.problem),
    )
