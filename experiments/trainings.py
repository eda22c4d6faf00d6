"""What experiments with real trainings share: images in a folder, and two processes at work."""

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from record import parser

from evonas.data.cache import load_data
from evonas.driver import search
from evonas.driver.preparation import Checked, check, set_up
from evonas.evaluation.segments import added_segments, weights_in
from evonas.evaluation.train_evaluator import TrainEvaluator
from evonas.executors.executor import run_trial
from evonas.exporters.file_names import WEIGHTS
from evonas.files import write_atomically
from evonas.key import key_of
from evonas.models import build
from evonas.runs import Run
from evonas.runs.run_folder import environment
from evonas.settings import DataSettings, FidelitySettings, TrainingSettings, Words
from evonas.training import evaluate
from evonas.trial import Assignment, Chromosome, Outcome, Trial

Result = TypeVar("Result")
FRESH = 100_000  # above all seeds that are given to searches
SIDE = 32  # px; rungs of epochs cost the same at any


@dataclass(frozen=True)
class Training:
    """One of a search: what it cost, and its validation accuracy.

    `accuracy` is None if it failed, or is of a rung below the top. `design` is what was trained.
    """

    epochs: int
    seconds: float
    accuracy: float | None
    has_inherited: bool
    design: Chromosome = ()


@dataclass(frozen=True)
class Found:
    """What came of a search: its trainings in the order they finished, and its best design."""

    trainings: tuple[Training, ...]
    best: Chromosome


def training_parser(description: str | None, subset: int, *own: str) -> argparse.ArgumentParser:
    """Arguments of an experiment on images; `own` are settings that it has unless told other."""
    words = parser(description)
    words.add_argument("--data", required=True, metavar="DIR", help="a folder of classes of images")
    words.add_argument(
        "--subset", type=int, default=subset, help="images to train and validate by (%(default)s)"
    )
    words.add_argument("--workers", type=int, default=2, help="processes (%(default)s)")
    told = f"settings, KEY=VALUE; here {' '.join(own)}" if own else "settings, KEY=VALUE"
    words.add_argument("settings", nargs="*", help=told)
    words.set_defaults(own=own)
    return words


def small_parser(description: str | None) -> argparse.ArgumentParser:
    """Arguments of an experiment on the bundled digits, or on a folder of images."""
    words = parser(description)
    words.add_argument("--data", metavar="DIR", help="a folder of classes of images; else digits")
    words.add_argument("--subset", type=int, default=5000, help="images of it (%(default)s)")
    words.add_argument("--workers", type=int, default=2, help="processes (%(default)s)")
    return words


def small_data(given: argparse.Namespace) -> DataSettings:
    """The images that the words of `small_parser` ask for."""
    if not given.data:
        return DataSettings()
    return DataSettings(name="folder", path=given.data, subset=given.subset)


def small_recipe(epochs: int) -> TrainingSettings:
    """What small networks are trained by: as usual, in 32 bits, without a second classifier."""
    return TrainingSettings(epochs=epochs, auxiliary=0.0, amp="off")


def search_parser(description: str | None, subset: int, *own: str) -> argparse.ArgumentParser:
    """The same, for an experiment that calls `searches`."""
    words = training_parser(description, subset, *own)
    words.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="where searches that are done are kept, and found by the same command and commit",
    )
    return words


def words_of(given: argparse.Namespace, *more: str) -> tuple[str, ...]:
    """The settings of a search for accuracy; the user's own win.

    Raises:
        EvonasError: They do not hold together, or the images cannot be read.
    """
    data = ["data=folder", f"data.path={given.data}", f"data.subset={given.subset}"]
    words = (*data, "objectives=accuracy", *given.own, *more, *given.settings)
    checked(words)  # also has the images decoded before two processes ask for them
    return words


@cache
def checked(words: tuple[str, ...]) -> Checked:
    """A search before it begins; once for a process, as all files of a folder are looked at."""
    return check(Words(words))


def side_by_side(
    function: Callable[[Any], Result], tasks: Sequence[Any], given: argparse.Namespace
) -> list[Result]:
    """What the function makes of each task, one thread and one process each; says how far it is."""
    os.environ["OMP_NUM_THREADS"] = "1"  # processes inherit it
    made = []
    with ProcessPoolExecutor(given.workers, get_context("spawn")) as pool:
        for one in pool.map(function, tasks):
            made.append(one)
            print(f"{len(made)}/{len(tasks)} done", file=sys.stderr)
    return made


def searches(tasks: Sequence[Sequence[str]], given: argparse.Namespace) -> list[Found]:
    """What a search by each of these words finds."""
    return side_by_side(partial(found_by, keep=given.keep), tasks, given)


def found_by(words: Sequence[str], keep: Path | None = None) -> Found:
    """What a search finds, one trial after the other: so it is the same each time.

    Args:
        keep: A folder for it. An experiment of hours that was stopped need not search again, unless
            the code has changed since.
    """
    file = keep / f"{key_of([*words, environment()['commit']])}.json" if keep else None
    if file and file.exists():
        return _kept(file)
    with TemporaryDirectory() as folder:
        own = [f"run.folder={folder}", "executor=inline", "display=none"]
        run = search([*words, *own])
    best = run.records.best
    assert best is not None, "a search that trained anything has a best"
    trainings = [_training(run, outcome) for outcome in run.records.outcomes.values()]
    found = Found(tuple(trainings), run.records.trials[best].chromosome)
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps({"words": list(words), **asdict(found)}).encode())
    return found


def _kept(file: Path) -> Found:
    kept = json.loads(file.read_text())
    trainings = (Training(**one | {"design": tuple(one["design"])}) for one in kept["trainings"])
    return Found(tuple(trainings), tuple(kept["best"]))


def _training(run: Run, outcome: Outcome) -> Training:
    trial = run.records.trials[outcome.number]
    epochs = added_epochs(run.settings.fidelity, run.settings.training)[trial.rung]
    return Training(
        0 if outcome.is_free else epochs,
        outcome.busy_seconds,
        outcome.measures["accuracy"] if outcome.status == "complete" else None,
        "inherited_from" in outcome.details,
        trial.chromosome,
    )


def added_epochs(fidelity: FidelitySettings, training: TrainingSettings) -> list[int]:
    """What a training on each rung of epochs costs; without rungs there is one."""
    added = added_segments(fidelity, training, SIDE)
    return [segment.recipe.epochs for segment in added]


def outcome_of(words: tuple[str, ...], seed: int, chromosome: Chromosome = ()) -> Outcome:
    """One training by the evaluator of a search; without a chromosome, of a space without genes."""
    parts = checked(words)
    with TemporaryDirectory() as folder:
        setup = set_up(parts, Path(folder), parts.facts)
        blueprint = setup.space.decode(chromosome)
        return run_trial(setup.evaluator, Assignment(Trial(0, chromosome, blueprint, seed)))


@dataclass(frozen=True)
class _Again:
    """A design to train once more."""

    words: tuple[str, ...]
    seed: int
    chromosome: Chromosome


def trained_again(
    designs: Sequence[tuple[tuple[str, ...], Chromosome]], seeds: int, given: argparse.Namespace
) -> NDArray[np.float64]:
    """(designs, seeds, parts): accuracies on the validation and on the test images.

    So luck with a training does not count that had the design chosen, nor, on the test images,
    with the images.

    Args:
        designs: The words of a search each, and a design of its space.
        seeds: How many there are that no search had.
    """
    again = [
        _Again(words, FRESH + seed, design) for words, design in designs for seed in range(seeds)
    ]
    accuracies = np.array(side_by_side(_accuracies_of, again, given), dtype=float)
    return accuracies.reshape(len(designs), seeds, 2)


def _accuracies_of(again: _Again) -> tuple[float, float]:
    """On the validation and on the test images; 0 if the training failed."""
    parts = checked(again.words)
    with TemporaryDirectory() as folder:
        setup = set_up(parts, Path(folder), parts.facts)
        trial = Trial(0, again.chromosome, setup.space.decode(again.chromosome), again.seed)
        outcome = run_trial(setup.evaluator, Assignment(trial))
        if outcome.status != "complete":
            return 0.0, 0.0
        assert isinstance(setup.evaluator, TrainEvaluator), "these words ask for trainings"
        return outcome.measures["accuracy"], _test_accuracy(setup.evaluator, trial)


def _test_accuracy(evaluator: TrainEvaluator, trial: Trial) -> float:
    """Of the weights that the evaluation of the trial has left."""
    torch.set_num_threads(1)
    network = build(trial.blueprint, evaluator.proxy, trial.seed)
    network.load_state_dict(weights_in(evaluator.trials / str(trial.number) / WEIGHTS) or {})
    data = load_data(evaluator.settings.data, evaluator.proxy.resolution_px)
    recipe = evaluator.settings.training
    return evaluate(network, data.test, data.problem, recipe, torch.device("cpu"))["accuracy"]


def best_within(trainings: Sequence[Training], limit: float, cost: str) -> float | None:
    """The best accuracy before `cost` (`epochs` or `seconds`) has summed up to more."""
    leader = leader_within(trainings, limit, cost)
    return None if leader is None else leader.accuracy


def leader_within(trainings: Sequence[Training], limit: float, cost: str) -> Training | None:
    """The first of those with the best accuracy before the cost has summed up to more."""
    spent, leader, best = 0.0, None, -math.inf
    for training in trainings:
        spent += getattr(training, cost)
        if spent > limit * (1 + 1e-9):
            break
        if training.accuracy is not None and training.accuracy > best:
            leader, best = training, training.accuracy
    return leader


def total(trainings: Sequence[Training], cost: str) -> float:
    """Of all, in `epochs` or `seconds`."""
    return float(sum(getattr(training, cost) for training in trainings))
