"""recipe.yaml: all that a retraining needs beside the images."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from evonas.errors import ExportError
from evonas.key import key_of
from evonas.networks.problem import Problem
from evonas.settings import (
    CompressionSettings,
    DataSettings,
    Group,
    TrainingSettings,
    in_folder,
    validate,
)
from evonas.tasks import completed, task_of
from evonas.yaml_file import read_yaml

CLASSIFICATION = "classification"


class InputSettings(Group):
    """What the network takes: image size, and how 0..1 values are normalised per channel."""

    channels: int
    resolution_px: int
    mean: tuple[float, ...] | None = None
    deviation: tuple[float, ...] | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of an image."""
        return (self.channels, self.resolution_px, self.resolution_px)


class OriginSettings(Group):
    """Where the design comes from: a trial of a run, or the published network of that name.

    `enlarged`: what its size is since (see `Scale`), where that is not the size of the search.

    `weights`: the file that a published network's are of; None: they are fresh.
    """

    run: str | None = None
    trial: int | None = None
    preset: str | None = None
    weights: str | None = None
    scale: str
    enlarged: dict[str, Any] = Field(default_factory=dict)

    @property
    def is_trained(self) -> bool:
        """True if the weights are those of a training, before any retraining."""
        return self.scale == "proxy" or self.weights is not None


class Recipe(Group):
    """All that a retraining needs beside the images."""

    task: str = CLASSIFICATION
    data: DataSettings | None
    input: InputSettings
    classes: tuple[str, ...]
    training: TrainingSettings
    compression: CompressionSettings = CompressionSettings()
    seed: int
    origin: OriginSettings

    @property
    def problem(self) -> Problem:
        """What the weights were trained for; mean and deviation are empty if they never were."""
        own = self.input
        mean, deviation = own.mean or (), own.deviation or ()
        return Problem(self.task, own.channels, self.classes, mean, deviation)

    @property
    def interface(self) -> str:
        """A key of what the weights were trained with: input, classes and task."""
        task = [] if self.task == CLASSIFICATION else [self.task]
        return key_of([self.input.model_dump(mode="json"), self.classes, *task])


def parsed_recipe(file: Path) -> Recipe:
    """The recipe in a file; relative paths in it start from the file's folder.

    Raises:
        ExportError: It is missing, or no YAML.
        SettingsError: It has mistakes.
    """
    values, _ = read_yaml(file, ExportError)
    folder = file.parent.absolute()
    recipe: Recipe = validate(Recipe, in_folder(values, folder), str(file))
    training = completed(recipe.training, task_of(recipe.problem))
    return recipe.model_copy(update={"training": training})


def recipe_text(recipe: Recipe) -> str:
    """The text of recipe.yaml."""
    values = recipe.model_dump(mode="json")
    values["origin"] = recipe.origin.model_dump(mode="json", exclude_none=True)
    if recipe.task == CLASSIFICATION:
        del values["task"]  # as earlier versions wrote recipes, which knew no other
    values["compression"] = recipe.compression.meant()
    if not values["compression"]:
        del values["compression"]
    if not values["origin"]["enlarged"]:
        del values["origin"]["enlarged"]
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
