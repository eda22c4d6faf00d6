"""A trained model in a folder made smaller or faster, as a new folder: without a search."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from evonas.compression import STEPS
from evonas.compression.compress import changes_training, made_after, planned
from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.delivery.final_compression import COMPRESSED, on_record, step_kit
from evonas.delivery.final_training import learnt_from
from evonas.delivery.form_checks import some_images
from evonas.delivery.ladder import Ladder
from evonas.delivery.model_writer import Model, model_files, write_model
from evonas.delivery.other_classes import as_written
from evonas.delivery.retrain import changed_recipe, check_classes, check_fit, threads_for
from evonas.delivery.tested import examples, tested
from evonas.errors import ExportError, SettingsError
from evonas.exporters.file_names import BLUEPRINT, FACTS, TRAINING, WEIGHTS
from evonas.model_folder.model_folder import COMPRESSION, ModelFolder
from evonas.model_folder.recipe_file import Recipe
from evonas.model_folder.replacement import new_folder, next_free
from evonas.models import Network
from evonas.reports.epochs import Epochs
from evonas.settings import CompressionSettings, LatencySettings
from evonas.settings.compression import STEP_SETTINGS

NEEDED = (BLUEPRINT, FACTS, WEIGHTS)
SUFFIX = "-compressed"


def compress(
    folder: str | Path,
    settings: Iterable[str] | Mapping[str, Any] = (),
    to: str | Path | None = None,
    trust: bool = False,
    display: Epochs | None = None,
) -> dict[str, Any]:
    """Takes steps of compression on a trained model, and writes what they make as a new folder.

    All forms are compared on the same images: of a model that was retrained on the test images, of
    one of a search on the validation images, since what it was trained on flatters. Fine-tuning and
    calibration see the training images.

    Args:
        folder: A model folder with trained weights; it stays as it is.
        settings: Of compression, data and training, as words
            (`["compression.quantisation.method=int8"]`) or nested plain values. What stands in
            the recipe of steps that were taken already does not count.
        to: The folder to write, new or empty; by default `FOLDER-compressed`, or that with the
            next free number.
        trust: Files of the folder may differ from what evonas wrote.
        display: Told what each step gives; by default nothing is printed.

    Returns:
        `forms`: for each of them `form`, `file`, the score, `latency_ms`, `size_mib`,
        `parameters`, `macs` and `seconds`; `images` that the score is of, `folder` and `files`.

    Raises:
        ExportError: The folder is no model folder, is not as evonas wrote it, or has fresh weights.
        SettingsError: A word is wrong, or nothing is asked for.
        BuildError: A step does not fit this network.
        DataError: The data set is missing, damaged, or has other classes than the model.
    """
    opened = ModelFolder.open(Path(folder), NEEDED, trust)
    place = _place(opened.path, to)
    recipe = _recipe(opened, settings)
    planned(opened.section(), recipe.compression)
    network = opened.built_and_trained()
    assert recipe.data is not None, "changed_recipe insists on a data set"
    data = load_data(recipe.data, recipe.input.resolution_px)
    check_fit(recipe, data)
    check_classes(recipe, data)
    ladder = _climbed(opened, recipe, network, data, display or Epochs())
    checks = write_model(place, _model(opened, recipe, data, ladder))
    return {**checks[COMPRESSION], "folder": str(place), "files": model_files(place)}


def _place(source: Path, to: str | Path | None) -> Path:
    """Where the new folder is written."""
    if to is not None:
        return new_folder(to)
    path = source.resolve()
    return next_free(path.with_name(path.name + SUFFIX))


def _recipe(folder: ModelFolder, settings: Iterable[str] | Mapping[str, Any]) -> Recipe:
    """The recipe of the folder with the steps that are asked for, and no others.

    Raises:
        ExportError: There are no trained weights to take them on.
        SettingsError: There are none that can be taken on a trained network.
    """
    nothing = folder.recipe.model_copy(update={"compression": CompressionSettings()})
    recipe = changed_recipe(nothing, settings, "a compression")
    if folder.has_fresh_weights:
        raise ExportError(
            f"{folder.path} has fresh weights, which are not worth compressing. Retrain it first: "
            f"evonas retrain {folder.path}. That takes compression.* as well."
        )
    folder.check_statistics()
    in_training = changes_training(recipe.compression)
    if in_training:
        words = [f"compression.{step}.method={own['method']}" for step, own in in_training.items()]
        raise SettingsError(
            f"{' '.join(words)}: this acts while a network is trained, and this one is trained. "
            f"Write evonas retrain {folder.path} {' '.join(words)}."
        )
    if not made_after(recipe.compression):
        raise SettingsError(f"Nothing is asked for. Write {_choices()}.")
    return recipe


def _choices() -> str:
    """The words that ask for steps on a trained network."""
    words = [
        f"compression.{step}.method={'|'.join(STEP_SETTINGS[step].takes)}"
        for step, own in STEPS.items()
        if not own.acts_in_training
    ]
    return " or ".join(words)


def _climbed(
    folder: ModelFolder, recipe: Recipe, network: Network, data: Dataset, display: Epochs
) -> Ladder:
    """The forms of the model, judged on images that it was not trained on."""
    is_retrained = (folder.path / TRAINING).is_file()
    images = learnt_from(recipe, data) if is_retrained else data.train
    part, judged = ("test", data.test) if is_retrained else ("validation", data.validation)
    torch.set_num_threads(threads_for(network, recipe.input.shape))
    kit = step_kit(recipe, recipe.compression, folder.mapping(FACTS), images)
    ladder = Ladder(kit, part, judged, LatencySettings())
    with display:
        ladder.climb(network, tell=display.line)
    return ladder


def _model(folder: ModelFolder, recipe: Recipe, data: Dataset, ladder: Ladder) -> Model:
    """What is written: all of the old folder but for what the steps changed."""
    last = ladder.last
    facts = on_record(folder.mapping(FACTS), last.compressed.section, recipe.compression)
    done = CompressionSettings.model_validate(facts[COMPRESSED])
    recipe = recipe.model_copy(update={"compression": done})
    training = None
    written, also = as_written(folder, recipe)
    if (folder.path / TRAINING).is_file():
        training = {**folder.mapping(TRAINING), **tested(last, recipe, data)}
        also |= examples(last, recipe, data)
    return Model(
        written,
        folder.mapping(BLUEPRINT),
        facts,
        last.network,
        training,
        also=also,
        ladder=ladder,
        images=some_images(data.validation, recipe.problem),
    )
