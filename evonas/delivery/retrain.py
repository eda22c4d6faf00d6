"""An exported model trained with its own recipe, and only then shown the test images."""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from evonas.compression.compress import made_after, planned
from evonas.compression.step import Section
from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.data.readers import DATA_SETS
from evonas.delivery.enlarge import GROUP, Given, enlarged, wanted_size
from evonas.delivery.final_compression import (
    SECTION,
    on_record,
    outstanding,
    step_kit,
    to_be_compressed,
    training_device,
)
from evonas.delivery.final_training import FinalTraining
from evonas.delivery.form_checks import some_images
from evonas.delivery.ladder import Ladder
from evonas.delivery.model_writer import Model, model_files, write_model
from evonas.delivery.tested import examples, tested
from evonas.errors import ExportError, SettingsError
from evonas.exporters.file_names import BLUEPRINT, FACTS, RECIPE, SOURCE
from evonas.hardware.device import usable_cores
from evonas.model_folder.model_folder import COMPRESSION, ModelFolder
from evonas.model_folder.recipe_file import Recipe
from evonas.model_folder.replacement import held
from evonas.models import Network, learning, network_macs
from evonas.networks import planned as plan_of
from evonas.registry import pick
from evonas.reports.epochs import Epochs
from evonas.reports.sizes import told_sizes
from evonas.settings import (
    CompressionSettings,
    DataSettings,
    LatencySettings,
    TrainingSettings,
    Words,
)
from evonas.tasks import foreign, task_of
from evonas.training.job import begin
from evonas.training.logs import CSV_FILE

NEEDED = (SOURCE, BLUEPRINT, FACTS)
MACS_WORTH_THREADS = 20e6
CHANGEABLE = ("data", "training", "compression")


def retrain(
    folder: str | Path,
    settings: Iterable[str] | Mapping[str, Any] = (),
    trust: bool = False,
    display: Epochs | None = None,
) -> dict[str, Any]:
    """Trains model.py on all images but the test ones, then scores it on those.

    Then come the steps of compression that the recipe asks for: the scores are those of what is
    deployed, and check.json and the card compare it with the trained network.

    With `training.keep=best` it learns from the training images alone, and the weights are those of
    the epoch that did best on the validation images; last.safetensors holds those of the last one.

    Goes on from the checkpoint of a retraining that was stopped, if network, recipe and data are
    the same. When it is done, all files in the folder are replaced, all together; until then they
    stay as they are.

    Args:
        folder: A model folder.
        settings: Of data and training, as words (`["training.epochs=100"]`) or nested plain values;
            also another size, as in `["full.width=1.4"]`: then the weights begin afresh.
        trust: Files of the folder may differ from what evonas wrote. It runs model.py.
        display: Told how the training goes; by default nothing is printed.

    Returns:
        `test_accuracy` and other scores of the test images, `epochs`, `curve` (the loss of each
        epoch), `seconds`, `folder` and `files`.

    Raises:
        ExportError: The folder is no model folder, is not as evonas wrote it, or the training
            diverged.
        SettingsError: A word is wrong, or changes something else than these, or nothing.
        DataError: The data set is missing, damaged, or has other classes than the model.
    """
    opened = ModelFolder.open(Path(folder), NEEDED, trust)
    words = settings if isinstance(settings, Mapping) else [*settings]
    with held(opened.path):
        return _retrained(opened, words, display or Epochs())


def _retrained(folder: ModelFolder, settings: Given, display: Epochs) -> dict[str, Any]:
    recipe = changed_recipe(folder.recipe, settings, takes=(*CHANGEABLE, GROUP))
    size = wanted_size(settings)
    data_settings = recipe.data
    assert data_settings is not None, "changed_recipe insists on a data set"
    blueprint, facts = folder.mapping(BLUEPRINT), folder.mapping(FACTS)
    if size is not None:
        recipe, facts = enlarged(folder, recipe, size)
        display.line(f"The network gets another size: {told_sizes(recipe.origin.enlarged)}.")
    steps = outstanding(recipe.compression, facts)
    network = _to_train(folder, steps, None if size is None else facts[SECTION])
    if folder.has_edited_recipe:
        display.line(
            f"{folder.path / RECIPE} was edited since evonas wrote it: it counts as it is now."
        )
    pick(DATA_SETS, data_settings.name, "data set")
    data = load_data(data_settings, recipe.input.resolution_px)
    check_fit(recipe, data)
    recipe = _with_input(recipe, data)
    start = time.monotonic()
    torch.set_num_threads(threads_for(network, recipe.input.shape))
    _begin(recipe, blueprint, network, data, display)
    training = FinalTraining(folder, recipe, data, training_device(), display, steps, facts)
    progress = training.run(network)
    adapted = task_of(recipe.problem).adapted(recipe.training, network)
    recipe = recipe.model_copy(update={"training": adapted})
    kit = step_kit(recipe, steps, facts, training.images, progress.bfloat16)
    ladder = Ladder(kit, "test", data.test, LatencySettings())
    ladder.climb(network, time.monotonic() - start, display.line)
    result = {
        **tested(ladder.last, recipe, data),
        "images": len(training.images),
        **training.best_epoch(progress),
        "data": data_settings.name,
        "epochs": progress.epochs_done,
        "bfloat16": progress.bfloat16,
        "seconds": time.monotonic() - start,
        "curve": progress.curve,
    }
    also = {**training.kept, **examples(ladder.last, recipe, data)}
    source = None if made_after(steps) or size is not None else folder.read(SOURCE)
    facts = on_record(facts, ladder.last.compressed.section, steps)
    images = some_images(data.validation, data.problem)
    checks = write_model(
        folder.path,
        Model(recipe, blueprint, facts, ladder.last.network, result, source, also, ladder, images),
    )
    training.clear()
    logs = [str(file) for file in (folder.path / CSV_FILE,) if recipe.training.log]
    found = {key: checks[key] for key in (COMPRESSION,) if key in checks}
    files = model_files(folder.path) + logs
    return {**result, **found, "folder": str(folder.path), "files": files}


def _to_train(
    folder: ModelFolder, steps: CompressionSettings, section: Section | None
) -> nn.Module:
    """The network of model.py, ready to learn; where steps are to be taken, as evonas builds it.

    Args:
        section: Of the network, where that is to be another one than model.py.

    Raises:
        BuildError: A step does not fit this network.
    """
    if section is not None:
        planned(section, steps)
        return Network(plan_of(section))
    if not steps.meant():
        network = learning(folder.source().network)
        _check_roles(network, folder)
        return network
    network = to_be_compressed(folder)
    planned(folder.section(), steps)
    return network


def _check_roles(network: nn.Module, folder: ModelFolder) -> None:
    """Modules say by `role` what they are since networks say their `outputs`."""
    if not folder.is_trusted and not hasattr(network, "outputs"):
        raise ExportError(
            f"{folder.path / SOURCE} is of an earlier evonas. Its blocks do not say that they are "
            "blocks, so heuristics of the recipe would pass them by. Export the design again, or "
            "train it as it is by --trust."
        )


def changed_recipe(
    recipe: Recipe,
    given: Given,
    what: str = "a retraining",
    takes: Sequence[str] = CHANGEABLE,
) -> Recipe:
    """The recipe with words laid over its data, training and compression.

    Args:
        what: What takes them, for messages.
        takes: Groups of settings that words may be of.

    Raises:
        SettingsError: With all problems.
    """
    old = {
        "data": recipe.data.model_dump(mode="json") if recipe.data else {},
        "training": recipe.training.model_dump(mode="json"),
        "compression": recipe.compression.model_dump(mode="json"),
    }
    words = Words(given, defaults=old)
    settings, problems = words.read()
    for keys, origin in words.origins.items():
        if keys[0] not in takes and origin:
            *most, last = (f"{key}.*" for key in takes)
            problems.append(f"{origin}: {what} takes {', '.join(most)} and {last} only.")
    if recipe.data is None and "data" not in words.values:
        problems.append("This model has no data set yet. Give data=folder data.path=DIR.")
    problems += foreign(settings.training, recipe.task)
    lack = task_of(recipe.problem).lack()
    problems += [lack] if lack else []
    if problems:
        raise SettingsError(problems)
    data: DataSettings = settings.data
    training: TrainingSettings = settings.training
    compression: CompressionSettings = settings.compression
    update = {"data": data, "training": training, "compression": compression}
    return recipe.model_copy(update=update)


def threads_for(network: nn.Module, input_shape: tuple[int, int, int]) -> int:
    """All cores for large networks; small ones lose more by waiting for threads than they gain."""
    return usable_cores() if network_macs(network, input_shape) >= MACS_WORTH_THREADS else 1


def check_fit(recipe: Recipe, data: Dataset) -> None:
    """Raises a SettingsError if the data are not what the model was made for."""
    if data.problem.task != recipe.task:
        assert recipe.data is not None, "a retraining has data"
        raise SettingsError(
            f"The model is for {recipe.task}, and data={recipe.data.name} is for "
            f"{data.problem.task}. Give data that the model was made for."
        )
    channels, classes = data.problem.channels, len(data.problem.classes)
    if channels != recipe.input.channels or classes != len(recipe.classes):
        raise SettingsError(
            f"The model takes {recipe.input.channels} channel(s) and knows {len(recipe.classes)} "
            f"classes, the data has {channels} and {classes}. Search and export "
            "with this data, or give the data that the model was made for."
        )


def _with_input(recipe: Recipe, data: Dataset) -> Recipe:
    """Normalisation and class names are those that the weights were trained with."""
    problem = data.problem
    given = {"mean": problem.mean, "deviation": problem.deviation}
    inputs = recipe.input.model_copy(update=given)
    return recipe.model_copy(update={"input": inputs, "classes": problem.classes})


def _begin(
    recipe: Recipe,
    blueprint: Mapping[str, Any],
    network: nn.Module,
    data: Dataset,
    display: Epochs,
) -> None:
    """Fresh weights as recipe and blueprint have them, and those of a file over them."""
    designed = blueprint.get("network", {}).get("initialisation")
    taken = begin(network, recipe.training, recipe.seed, designed)
    task_of(recipe.problem).adapt(network, data.train.targets, recipe.training)
    if recipe.training.weights is not None:
        display.line(f"{recipe.training.weights}: {taken}.")
