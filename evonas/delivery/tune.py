"""The training recipe of an exported model, polished on the validation images."""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from evonas.compression.compress import changes_training
from evonas.compression.teacher import teacher_of
from evonas.data.cache import data_key, load_data
from evonas.data.readers import DATA_SETS
from evonas.delivery.final_compression import outstanding, training_device
from evonas.delivery.model_writer import json_text
from evonas.delivery.other_classes import own_file
from evonas.delivery.retrain import NEEDED, changed_recipe, check_classes, check_fit, threads_for
from evonas.delivery.tuning.scored_training import ScoredTraining
from evonas.delivery.tuning.study import ABOUT, BASE, WRITTEN, Subject, opened
from evonas.delivery.tuning.trainings import Tuning
from evonas.delivery.tuning.tuned_settings import (
    coordinates_of,
    ranges_around,
    tuned_settings,
)
from evonas.errors import SettingsError
from evonas.exporters.file_names import BLUEPRINT, CHECK, FACTS, RECIPE, SOURCE
from evonas.files import write_atomically
from evonas.key import checksum, key_of
from evonas.model_folder.model_folder import CHECKSUMS, ModelFolder
from evonas.model_folder.recipe_file import Recipe, recipe_text
from evonas.model_folder.replacement import held, replacing
from evonas.registry import pick
from evonas.reports.tuning_lines import Tunings
from evonas.settings import BudgetSettings, TrainingSettings, TuneSettings, Words
from evonas.tasks import task_of

TUNING = "tuning.db"
TAKES = ("data", "training", "compression", "budget", "tune")
EVALUATIONS = 20  # trainings, where nobody says how many
FEWEST = 2  # trainings to tune by: that of the recipe, and another
OF_BUDGET = {"evaluations", "seconds"}  # what a tuning goes by


def tune(
    folder: str | Path,
    settings: Iterable[str] | Mapping[str, Any] = (),
    trust: bool = False,
    display: Tunings | None = None,
) -> dict[str, Any]:
    """Tunes the training settings of a model, and writes recipe.yaml if that does better.

    The first of `budget.evaluations` trainings (20) is that of the recipe itself. The others try
    values around it, which the tree-structured Parzen estimator of Optuna asks for (TPE, Bergstra
    et al. 2011); those that do badly on the validation images are ended early. The best of many
    noisy scores flatters: so the last trainings, twice `tune.seeds`, are of the best found and of
    the recipe, from fresh seeds, and recipe.yaml gets the new settings only if their mean is better
    there. The weights of the folder stay as they are. No training sees a test image.

    Goes on where a tuning was stopped, within a training too, and beyond its budget where that is
    larger now: tuning.db of the folder has all trainings, as a study that Optuna's tools can read.

    Args:
        folder: A model folder.
        settings: Of data, training, budget and tune, as words (`["budget.evaluations=30"]`) or
            nested plain values. What they change of the recipe is written with it.
        trust: Files of the folder may differ from what evonas wrote. It runs model.py.
        display: Told how the tuning goes; by default nothing is printed.

    Returns:
        `settings`: before and after, by name, of the best found; empty if the recipe is best.
        `score` of the best of all trainings by the main measure, `recipe_again` and `best_again`
        from fresh seeds, `written` if recipe.yaml has the new settings. `trials`: each training
        with its settings. `seconds` of this call.

    Raises:
        ExportError: The folder is no model folder, is not as evonas wrote it, or the training by
            its own recipe diverged.
        SettingsError: A word is wrong.
        DataError: The data set is missing, damaged, or has other classes than the model.
    """
    given = settings if isinstance(settings, Mapping) else list(settings)
    opened_folder = ModelFolder.open(Path(folder), NEEDED, trust)
    with held(opened_folder.path):
        return _tuned(opened_folder, given, display or Tunings())


def _tuned(
    folder: ModelFolder, given: list[str] | Mapping[str, Any], display: Tunings
) -> dict[str, Any]:
    start = time.monotonic()
    budget, asked = _asked(given)
    recipe = changed_recipe(folder.recipe, given, "a tuning", TAKES)
    task = task_of(recipe.problem)
    names = tuned_settings(asked.settings, recipe.task, task)
    assert recipe.data is not None, "changed_recipe insists on a data set"
    pick(DATA_SETS, recipe.data.name, "data set")
    data = load_data(recipe.data, recipe.input.resolution_px)
    check_fit(recipe, data)
    check_classes(recipe, data)
    epochs = asked.epochs or recipe.training.epochs
    about = _about(folder, recipe, names, epochs)
    _tell_what_stays(recipe.training, names, display)

    def subject(base: TrainingSettings) -> Subject:
        ranges = ranges_around(base, names)
        start = coordinates_of(base, [*ranges])
        maximises = task.measures[task.main].direction == "maximise"
        plain = base.model_dump(mode="json")
        return Subject(about, plain, ranges, start, recipe.seed, epochs, asked.pruner, maximises)

    def goes_on(noted: Mapping[str, Any]) -> Subject | None:
        now = recipe.training.model_dump(mode="json")
        if noted.get(ABOUT) != about or now not in (noted[BASE], noted.get(WRITTEN)):
            return None
        return subject(TrainingSettings.model_validate(noted[BASE]))

    with opened(folder.path / TUNING, goes_on, subject(recipe.training)) as study:
        steps = outstanding(recipe.compression, folder.mapping(FACTS))
        trainer = ScoredTraining(folder, recipe, data, steps, training_device(), about)
        network = trainer.network(recipe.training, recipe.seed)
        torch.set_num_threads(threads_for(network, recipe.input.shape))
        trainer.bfloat16 = study.remembered("bfloat16", lambda: trainer.gains(network))
        tuning = Tuning(recipe.seed, study, trainer, budget, asked.seeds, display)
        tuning.run()
        result = tuning.result()
        if result["written"]:
            new = tuning.recipe_of(tuning.winner)
            study.note_written(new.model_dump(mode="json"))
            _write(folder, recipe.model_copy(update={"training": new}))
        trainer.clear()
    files = [str(folder.path / name) for name in (RECIPE, TUNING)]
    took = {"seconds": time.monotonic() - start}
    return {**result, **took, "folder": str(folder.path), "files": files}


def _asked(given: list[str] | Mapping[str, Any]) -> tuple[BudgetSettings, TuneSettings]:
    """What the words say of the budget and the tuning; `changed_recipe` tells what is wrong."""
    words = Words(given, defaults={"budget": {"evaluations": EVALUATIONS}})
    settings, _ = words.read()
    budget, asked = settings.budget, settings.tune
    problems = [
        f"{origin}: a tuning ends by budget.evaluations or budget.seconds. Leave it out."
        for keys, origin in words.origins.items()
        if keys[0] == "budget" and len(keys) > 1 and keys[1] not in OF_BUDGET
    ]
    fewest = FEWEST + 2 * asked.seeds
    if budget.evaluations < fewest:
        problems.append(
            f"budget.evaluations={budget.evaluations} is too few trainings: the last "
            f"{2 * asked.seeds} compare the best found with the recipe. Give "
            f"budget.evaluations={fewest} at least, or a lower tune.seeds."
        )
    if problems:
        raise SettingsError(problems)
    return budget, asked


def _about(folder: ModelFolder, recipe: Recipe, names: Sequence[str], epochs: int) -> str:
    """A key of all that the trainings depend on beside the recipe's settings."""
    assert recipe.data is not None, "a tuning has data"
    weights, changes = recipe.training.weights, changes_training(recipe.compression)
    teacher = teacher_of(recipe.compression, recipe.problem) if changes else None
    return key_of(
        [
            checksum(folder.read(SOURCE)),
            checksum(folder.read(BLUEPRINT)),
            checksum(weights.read_bytes()) if weights and weights.is_file() else None,
            data_key(recipe.data),
            recipe.input.resolution_px,
            recipe.seed,
            sorted(names),
            epochs,
            *([changes, teacher.key if teacher else ""] if changes else []),
        ]
    )


def _tell_what_stays(training: TrainingSettings, names: Sequence[str], display: Tunings) -> None:
    off = [f"training.{name}" for name in names if name not in ranges_around(training, names)]
    if len(off) == len(names):
        raise SettingsError(
            f"{', '.join(off)}: off in the recipe, so there is nothing to be tuned. Name others by "
            "tune.settings, or set one, as in training.weight_decay=0.0005."
        )
    if off:
        display.line(f"{', '.join(off)}: off in the recipe, and not tuned.")


def _write(folder: ModelFolder, recipe: Recipe) -> None:
    """The recipe in its file, and its checksum beside those of the other files."""
    if (name := own_file(folder, recipe)) is not None:  # so that the folder may move
        own = recipe.training.model_copy(update={"weights": Path(name)})
        recipe = recipe.model_copy(update={"training": own})
    content = recipe_text(recipe).encode()
    with replacing(folder.path, (RECIPE, CHECK)) as staged:
        write_atomically(staged / RECIPE, content)
        if CHECKSUMS in folder.checks:
            sums = {**folder.checks[CHECKSUMS], RECIPE: checksum(content)}
            write_atomically(staged / CHECK, json_text({**folder.checks, CHECKSUMS: sums}))
