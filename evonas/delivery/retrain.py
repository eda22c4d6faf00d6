"""An exported model trained with its own recipe, and only then shown the test images."""

import time
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.data.readers import DATA_SETS
from evonas.delivery.final_training import FinalTraining
from evonas.delivery.model_writer import Model, model_files, write_model
from evonas.errors import ExportError, SettingsError
from evonas.exporters.file_names import BLUEPRINT, EXAMPLES, FACTS, RECIPE, SOURCE
from evonas.hardware.device import usable_cores
from evonas.hardware.latency import measured_latency
from evonas.model_folder.model_folder import ModelFolder
from evonas.model_folder.recipe_file import Recipe
from evonas.model_folder.replacement import held
from evonas.models import deployed, learning, network_macs
from evonas.networks.problem import Problem
from evonas.registry import pick
from evonas.reports.epochs import Epochs
from evonas.settings import DataSettings, LatencySettings, TrainingSettings, Words
from evonas.tasks import foreign, task_of
from evonas.tasks.task import LOSS
from evonas.training import evaluate
from evonas.training.job import begin
from evonas.training.logs import CSV_FILE
from evonas.training.scoring import example_outputs, tabulate

NEEDED = (SOURCE, BLUEPRINT, FACTS)
MACS_WORTH_THREADS = 20e6
EXAMPLE_IMAGES = 4
CHANGEABLE = ("data", "training")


def retrain(
    folder: str | Path,
    settings: Iterable[str] | Mapping[str, Any] = (),
    trust: bool = False,
    display: Epochs | None = None,
) -> dict[str, Any]:
    """Trains model.py on all images but the test ones, then scores it on those.

    With `training.keep=best` it learns from the training images alone, and the weights are those of
    the epoch that did best on the validation images; last.safetensors holds those of the last one.

    Goes on from the checkpoint of a retraining that was stopped, if network, recipe and data are
    the same. When it is done, all files in the folder are replaced, all together; until then they
    stay as they are.

    Args:
        folder: A model folder.
        settings: Of data and training, as words (`["training.epochs=100"]`) or nested plain values.
        trust: Files of the folder may differ from what evonas wrote. It runs model.py.
        display: Told how the training goes; by default nothing is printed.

    Returns:
        `test_accuracy` and other scores of the test images, `epochs`, `curve` (the loss of each
        epoch), `seconds`, `folder` and `files`.

    Raises:
        ExportError: The folder is no model folder, is not as evonas wrote it, or the training
            diverged.
        SettingsError: A word is wrong, or changes something other than data and training.
        DataError: The data set is missing, damaged, or has other classes than the model.
    """
    opened = ModelFolder.open(Path(folder), NEEDED, trust)
    with held(opened.path):
        return _retrained(opened, settings, display or Epochs())


def _retrained(
    folder: ModelFolder, settings: Iterable[str] | Mapping[str, Any], display: Epochs
) -> dict[str, Any]:
    recipe = changed_recipe(folder.recipe, settings)
    assert recipe.data is not None, "changed_recipe insists on a data set"
    blueprint, facts = folder.mapping(BLUEPRINT), folder.mapping(FACTS)
    network = learning(folder.source().network)
    _check_roles(network, folder)
    if folder.has_edited_recipe:
        display.line(
            f"{folder.path / RECIPE} was edited since evonas wrote it: it counts as it is now."
        )
    pick(DATA_SETS, recipe.data.name, "data set")
    data = load_data(recipe.data, recipe.input.resolution_px)
    _check_fit(recipe, data)
    start = time.monotonic()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    shape = recipe.input.shape
    torch.set_num_threads(_threads(network, shape))
    _begin(recipe, blueprint, network, display)
    training = FinalTraining(folder, recipe, data, device, display)
    progress = training.run(network)
    scores = evaluate(network, data.test, data.problem, recipe.training, device)
    result = {
        **_test_scores(scores, data.problem),
        "test_images": len(data.test),
        "images": len(training.images),
        **training.best_epoch(progress),
        "data": recipe.data.name,
        "epochs": progress.epochs_done,
        "bfloat16": progress.bfloat16,
        "seconds": time.monotonic() - start,
        "curve": progress.curve,
    }
    table = tabulate(network, data.test, data.problem, recipe.training, device)
    result |= {"test_table": table} if table else {}
    recipe = _with_input(recipe, data)
    also = {**training.kept, **_examples(network, recipe, data)}
    write_model(
        folder.path,
        Model(recipe, blueprint, facts, network, result, folder.read(SOURCE), also),
        lambda network, files: measured_latency(network, files, shape, LatencySettings()),
    )
    training.clear()
    logs = [str(file) for file in (folder.path / CSV_FILE,) if recipe.training.log]
    return {**result, "folder": str(folder.path), "files": model_files(folder.path) + logs}


def _check_roles(network: nn.Module, folder: ModelFolder) -> None:
    """Modules say by `role` what they are since networks say their `outputs`."""
    if not folder.is_trusted and not hasattr(network, "outputs"):
        raise ExportError(
            f"{folder.path / SOURCE} is of an earlier evonas. Its blocks do not say that they are "
            "blocks, so heuristics of the recipe would pass them by. Export the design again, or "
            "train it as it is by --trust."
        )


def _examples(network: nn.Module, recipe: Recipe, data: Dataset) -> dict[str, bytes]:
    """A picture of test images with what the network finds in them, if there is such a thing."""
    some = data.test.part(np.arange(min(EXAMPLE_IMAGES, len(data.test))))
    outputs = example_outputs(deployed(network).cpu(), some, data.problem)
    picture = task_of(data.problem).examples(
        some.images, some.targets, outputs, data.problem, recipe.training
    )
    if picture is None:
        return {}
    content = BytesIO()
    picture.save(content, "PNG", optimize=True)
    return {EXAMPLES: content.getvalue()}


def _test_scores(scores: Mapping[str, float], problem: Problem) -> dict[str, float]:
    left_out = {LOSS, *task_of(problem).uninformative(problem)}
    return {f"test_{name}": value for name, value in scores.items() if name not in left_out}


def changed_recipe(recipe: Recipe, given: Iterable[str] | Mapping[str, Any]) -> Recipe:
    """The recipe with words laid over its data and training.

    Raises:
        SettingsError: With all problems.
    """
    old = {
        "data": recipe.data.model_dump(mode="json") if recipe.data else {},
        "training": recipe.training.model_dump(mode="json"),
    }
    words = Words(given, defaults=old)
    settings, problems = words.read()
    for keys, origin in words.origins.items():
        if keys[0] not in CHANGEABLE and origin:
            problems.append(
                f"{origin}: a retraining takes {' and '.join(f'{k}.*' for k in CHANGEABLE)} only."
            )
    if recipe.data is None and "data" not in words.values:
        problems.append("This model has no data set yet. Give data=folder data.path=DIR.")
    problems += foreign(settings.training, recipe.task)
    lack = task_of(recipe.problem).lack()
    problems += [lack] if lack else []
    if problems:
        raise SettingsError(problems)
    data: DataSettings = settings.data
    training: TrainingSettings = settings.training
    return recipe.model_copy(update={"data": data, "training": training})


def _threads(network: nn.Module, input_shape: tuple[int, int, int]) -> int:
    """All cores for large networks; small ones lose more by waiting for threads than they gain."""
    return usable_cores() if network_macs(network, input_shape) >= MACS_WORTH_THREADS else 1


def _check_fit(recipe: Recipe, data: Dataset) -> None:
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
    recipe: Recipe, blueprint: Mapping[str, Any], network: nn.Module, display: Epochs
) -> None:
    """Fresh weights as recipe and blueprint have them, and those of a file over them."""
    designed = blueprint.get("network", {}).get("initialisation")
    taken = begin(network, recipe.training, recipe.seed, designed)
    if recipe.training.weights is not None:
        display.line(f"{recipe.training.weights}: {taken}.")
