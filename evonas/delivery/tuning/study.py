"""The trainings of a tuning on record, as a study of Optuna's in an SQLite file.

A training that was stopped is found again as it was left. What a sampler asks for follows from the
seed, the number and the trainings before alone, so that a tuning that was stopped asks the same.
"""

import sqlite3
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.exceptions import StorageInternalError
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from evonas.errors import ExportError, FileError
from evonas.files import told

ABOUT, BASE, WRITTEN, AGAIN = "about", "base", "written", "again"  # what is noted of a study
DIVERGED, SECONDS = "diverged", "seconds"  # and of a training
RANDOM = 5  # trainings at first, from which the sampler learns
COMPARED = 4  # whole trainings, before one is ended for doing worse
LONGEST = 3  # of Hyperband: the share of a training after which one of three goes on

# From the epochs of a whole training.
PRUNERS: Mapping[str, Callable[[int], BasePruner]] = {
    "median": lambda epochs: MedianPruner(COMPARED, n_warmup_steps=epochs // LONGEST),
    "hyperband": lambda epochs: HyperbandPruner(max(1, epochs // LONGEST**2), epochs, LONGEST),
    "none": lambda epochs: NopPruner(),
}


@dataclass(frozen=True)
class Subject:
    """What is tuned.

    `about` is a key of all that trainings depend on beside the recipe, `recipe` plain values of
    that. `ranges` have ends for each setting, and whether it is even in the logarithm; `start` are
    the coordinates of the recipe.
    """

    about: str
    recipe: Mapping[str, Any]
    ranges: Mapping[str, tuple[float, float, bool]]
    start: Mapping[str, float]
    seed: int
    epochs: int
    pruner: str
    maximises: bool


@dataclass(frozen=True)
class Tried:
    """A training that is over; `number` 0 is that of the recipe itself.

    `score` is None if it diverged; one that was `pruned` has that of its last epoch.
    """

    number: int
    coordinates: Mapping[str, float]
    score: float | None
    epochs: int
    seconds: float
    is_pruned: bool
    diverged: str | None


class TuningStudy:
    """One study of a file of them.

    Args:
        storage: The open file.
        name: Of the study.
    """

    def __init__(self, storage: RDBStorage, name: str, subject: Subject) -> None:
        self.subject = subject
        pruner = PRUNERS[subject.pruner](subject.epochs)
        self._study = Study(name, storage, pruner=pruner)
        self._distributions: dict[str, BaseDistribution] = {
            key: FloatDistribution(low, high, log=is_log)
            for key, (low, high, is_log) in subject.ranges.items()
        }

    def tried(self) -> list[Tried]:
        """All trainings that are over, by number."""
        states = (TrialState.COMPLETE, TrialState.PRUNED)
        return [_tried(trial) for trial in self._study.get_trials(deepcopy=False, states=states)]

    def next(self) -> Trial:
        """The training that was stopped, or else a new one."""
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        number = running[0].number if running else self._begun
        self._study.sampler = TPESampler(
            n_startup_trials=RANDOM, seed=(self.subject.seed + number) % 2**32
        )
        if not running:
            return self._study.ask(self._distributions)
        trial = Trial(self._study, running[0]._trial_id)
        for name, own in self._distributions.items():
            trial._suggest(name, own)  # which was not asked yet if the stop came in between
        return trial

    def is_hopeless(self, trial: Trial, scores: Sequence[float]) -> bool:
        """Whether the training is not worth its other epochs; notes the scores of its epochs."""
        known = self._study.get_trials(deepcopy=False)[trial.number].intermediate_values
        for epoch, score in enumerate(scores, start=1):
            if epoch not in known:
                trial.report(score, epoch)
        return trial.number > 0 and len(scores) < self.subject.epochs and trial.should_prune()

    def tell(
        self, trial: Trial, score: float | None, seconds: float, diverged: str | None = None
    ) -> None:
        """The training is over, before its end if there is no score."""
        trial.set_user_attr(SECONDS, seconds)
        if diverged is not None:
            trial.set_user_attr(DIVERGED, diverged)
        state = TrialState.PRUNED if score is None else TrialState.COMPLETE
        self._study.tell(trial, score, state)

    def again(self) -> dict[int, dict[int, float | None]]:
        """By number and seed, the scores of trainings that were done again; None: it diverged."""
        noted = self._study.user_attrs.get(AGAIN, {})
        return {
            int(number): {int(seed): score for seed, score in scores.items()}
            for number, scores in noted.items()
        }

    def note_again(self, number: int, seed: int, score: float | None) -> None:
        """A training was done again."""
        noted = self.again()
        noted.setdefault(number, {})[seed] = score
        self._study.set_user_attr(AGAIN, noted)

    def remembered(self, key: str, decide: Callable[[], bool]) -> bool:
        """What was decided for all trainings of the study, or is decided now."""
        if key not in self._study.user_attrs:
            self._study.set_user_attr(key, decide())
        return bool(self._study.user_attrs[key])

    def note_written(self, recipe: Mapping[str, Any]) -> None:
        """This recipe, in plain values, is what came of it: a later tuning goes on from here."""
        self._study.set_user_attr(WRITTEN, dict(recipe))

    @property
    def _begun(self) -> int:
        """How many trainings were begun."""
        trials = self._study.get_trials(deepcopy=False)
        return sum(trial.state != TrialState.WAITING for trial in trials)


def _tried(trial: FrozenTrial) -> Tried:
    diverged = trial.user_attrs.get(DIVERGED)
    return Tried(
        trial.number,
        trial.params,
        trial.value if diverged is None else None,
        trial.last_step or 0,
        trial.user_attrs.get(SECONDS, 0.0),
        trial.state == TrialState.PRUNED and diverged is None,
        diverged,
    )


@contextmanager
def opened(
    file: Path, find: Callable[[Mapping[str, Any]], Subject | None], new: Subject
) -> Iterator[TuningStudy]:
    """The study that goes on, or a new one.

    Args:
        find: From what is noted of a study to its subject; None: it is another's.
        new: Of a new one.

    Raises:
        ExportError: The file is damaged.
        FileError: It cannot be written.
    """
    _check(file)
    with _quiet(), _failures_told(file), _storage(file) as storage:
        for study in storage.get_all_studies():
            if (subject := find(study.user_attrs)) is not None:
                yield TuningStudy(storage, study.study_name, subject)
                return
        yield TuningStudy(storage, _begin(storage, new), new)


def _begin(storage: RDBStorage, subject: Subject) -> str:
    """A new study whose first training is that of the recipe; what it is about is noted last."""
    name = f"tuning-{len(storage.get_all_studies()) + 1}"
    direction = StudyDirection.MAXIMIZE if subject.maximises else StudyDirection.MINIMIZE
    study = optuna.create_study(storage=storage, study_name=name, direction=direction)
    study.enqueue_trial(dict(subject.start))
    study.set_user_attr(BASE, dict(subject.recipe))
    study.set_user_attr(ABOUT, subject.about)
    return name


@contextmanager
def _storage(file: Path) -> Iterator[RDBStorage]:
    """Optuna's tables in the file; a path may hold what a URL may not."""
    storage = RDBStorage("sqlite://", {"creator": lambda: _connected(file)})
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _connected(file: Path) -> sqlite3.Connection:
    """The database, which as a run's waits for no disk: a power cut loses the last epochs only."""
    database = sqlite3.connect(file, timeout=10)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    return database


def _check(file: Path) -> None:
    """Raises an ExportError if the file is there and is no sound database."""
    if not file.exists():
        return
    try:
        with told(file), closing(sqlite3.connect(file)) as database:
            sound = database.execute("PRAGMA quick_check").fetchone() == ("ok",)
    except sqlite3.DatabaseError:
        sound = False
    if not sound:
        raise ExportError(
            f"{file} is damaged. Remove it: then the tuning begins from the start. The model "
            "itself is as it was."
        )


@contextmanager
def _failures_told(file: Path) -> Iterator[None]:
    """Turns what SQLite has against a write into a message."""
    try:
        yield
    except StorageInternalError as problem:
        reason = str(problem.__cause__ or problem).splitlines()[0]
        raise FileError(f"{file} cannot be written: {reason}.") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna says nothing within: what it has to say concerns its own interface."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="optuna")
            warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)
