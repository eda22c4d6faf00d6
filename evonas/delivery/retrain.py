"""An exported model trained with its own recipe, and only then shown the test images."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from evonas.compression.compress import made_after, planned
from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.data.readers import DATA_SETS
from evonas.delivery.enlarge import GROUP, Given, enlarged, wanted_size
from evonas.delivery.final_compression import (
    SECTION,
    on_record,
    outstanding,
    rebuilt,
    step_kit,
    training_device,
)
from evonas.delivery.final_training import FinalTraining
from evonas.delivery.form_checks import some_images
from evonas.delivery.ladder import Ladder
from evonas.delivery.model_writer import Model, model_files, write_model
from evonas.delivery.other_classes import TRANSFERRED, Beginning, as_written, beginning
from evonas.delivery.tested import examples, tested
from evonas.errors import ExportError, SettingsError
from evonas.exporters.file_names import BLUEPRINT, FACTS, RECIPE, SOURCE
from evonas.hardware.device import usable_cores
from evonas.model_folder.model_folder import COMPRESSION, ModelFolder
from evonas.model_folder.recipe_file import Recipe
from evonas.model_folder.replacement import held
from evonas.models import learning, network_macs
from evonas.networks.problem import told_classes
from evonas.registry import pick
from evonas.reports.epochs import Epochs
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
    With `training.patience` or `training.plateau` it learns from the training images alone as well,
    and goes by the loss of the validation images.

    On data of other classes than the model knows, its last layer is replaced, and the training
    begins with its other weights, which base.safetensors keeps, unless `training.weights` says
    otherwise.

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
        `test_accuracy` and other scores of the test images, `test_table` with a row for each class,
        `test_mistakes` (by class, how many of its images were taken for which other), of detectors
        `test_precisions` (by class, at recalls of 0, .01, ... 1); `epochs`, `curve` (the loss of
        each epoch), `learning_rates` (epochs done, and the rate), and where there are validation
        images `validation_curve` and `validation_scores`; `seconds`, `folder` and `files`;
        `transferred_from`, the classes that the weights knew that it began with, if those were
        others.

    Raises:
        ExportError: The folder is no model folder, is not as evonas wrote it, or the training
            diverged.
        SettingsError: A word is wrong, or changes something else than these, or nothing.
        DataError: The data set is missing or damaged.
    """
    opened = ModelFolder.open(Path(folder), NEEDED, trust)
    words = settings if isinstance(settings, Mapping) else [*settings]
    with held(opened.path):
        return _retrained(opened, words, display or Epochs())


def _retrained(folder: ModelFolder, settings: Given, display: Epochs) -> dict[str, Any]:
    recipe = changed_recipe(folder.recipe, settings, takes=(*CHANGEABLE, GROUP))
    blueprint = folder.mapping(BLUEPRINT)
    begun, data = _begun(folder, recipe, settings)
    recipe, facts = _with_input(begun.recipe, data), begun.facts
    steps = outstanding(recipe.compression, facts)
    network = _to_train(folder, begun, steps)
    if folder.has_edited_recipe:
        display.line(
            f"{folder.path / RECIPE} was edited since evonas wrote it: it counts as it is now."
        )
    for line in begun.lines:
        display.line(line)
    start = time.monotonic()
    torch.set_num_threads(threads_for(network, recipe.input.shape))
    _begin(replace(begun, recipe=recipe), blueprint, network, data, display)
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
        "data": recipe.data.name if recipe.data else None,
        "epochs": progress.epochs_done,
        "bfloat16": progress.bfloat16,
        "seconds": time.monotonic() - start,
        **training.course(progress),
    }
    written, base = as_written(folder, recipe, begun.fresh)
    also = {**training.kept, **examples(ladder.last, recipe, data), **base}
    source = None if made_after(steps) or begun.is_new else folder.read(SOURCE)
    facts = on_record(facts, ladder.last.compressed.section, steps)
    images = some_images(data.validation, data.problem)
    checks = write_model(
        folder.path,
        Model(written, blueprint, facts, ladder.last.network, result, source, also, ladder, images),
    )
    training.clear()
    logs = [str(file) for file in (folder.path / CSV_FILE,) if recipe.training.log]
    found = {key: checks[key] for key in (COMPRESSION,) if key in checks}
    found |= {key: facts[key] for key in (TRANSFERRED,) if key in facts}
    files = model_files(folder.path) + logs
    return {**result, **found, "folder": str(folder.path), "files": files}


def _begun(folder: ModelFolder, recipe: Recipe, settings: Given) -> tuple[Beginning, Dataset]:
    """What the training begins with, and the images."""
    size, facts = wanted_size(settings), folder.mapping(FACTS)
    if size is not None:
        recipe, facts = enlarged(folder, recipe, size)
    assert recipe.data is not None, "changed_recipe insists on a data set"
    pick(DATA_SETS, recipe.data.name, "data set")
    data = load_data(recipe.data, recipe.input.resolution_px)
    check_fit(recipe, data)
    said, classes = Words(settings).said, data.problem.classes
    return beginning(folder, recipe, facts, classes, said, is_resized=size is not None), data


def _to_train(folder: ModelFolder, begun: Beginning, steps: CompressionSettings) -> nn.Module:
    """The network of model.py, or another one, ready to learn.

    Where steps are to be taken or it is another one, it is as evonas builds it.

    Raises:
        BuildError: A step does not fit this network.
    """
    if not (steps.meant() or begun.is_new):
        network = learning(folder.source().network)
        _check_roles(network, folder)
        return network
    network = rebuilt(folder, begun.facts.get(SECTION))
    planned(begun.facts[SECTION], steps)
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
    channels = data.problem.channels
    if channels != recipe.input.channels:
        raise SettingsError(
            f"The model takes {recipe.input.channels} channel(s), and the images have {channels}. "
            "Search and export with this data, or give the data that the model was made for."
        )


def check_classes(recipe: Recipe, data: Dataset) -> None:
    """Raises a SettingsError if the data have another number of classes than the model."""
    classes = data.problem.classes
    if len(classes) != len(recipe.classes):
        raise SettingsError(
            f"The model knows {told_classes(recipe.classes)}, and the data have "
            f"{told_classes(classes)}. Give data that the model was made for, or let it learn "
            "these classes first: evonas retrain DIR data=..."
        )


def _with_input(recipe: Recipe, data: Dataset) -> Recipe:
    """Normalisation and class names are those that the weights were trained with."""
    problem = data.problem
    given = {"mean": problem.mean, "deviation": problem.deviation}
    inputs = recipe.input.model_copy(update=given)
    return recipe.model_copy(update={"input": inputs, "classes": problem.classes})


def _begin(
    begun: Beginning,
    blueprint: Mapping[str, Any],
    network: nn.Module,
    data: Dataset,
    display: Epochs,
) -> None:
    """Fresh weights as recipe and blueprint have them, and those of a file over them."""
    recipe = begun.recipe
    designed = blueprint.get("network", {}).get("initialisation")
    taken = begin(network, recipe.training, recipe.seed, designed, begun.fresh)
    task_of(recipe.problem).adapt(network, data.train.targets, recipe.training)
    if recipe.training.weights is not None:
        display.line(f"{recipe.training.weights}: {taken}.")
    if recipe.training.freeze:
        sizes = [(tensor.numel(), tensor.requires_grad) for tensor in network.parameters()]
        learn, total = sum(n for n, learns in sizes if learns), sum(n for n, _ in sizes)
        display.line(
            f"training.freeze={recipe.training.freeze}: {learn:,} of {total:,} weights learn."
        )
