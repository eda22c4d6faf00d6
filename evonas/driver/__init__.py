"""A search from its first word to its end: `search` starts one, `resume` goes on with one.

`optimise` is a search over a function of the user's that leaves no files.
"""

import copy
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evonas import interrupts
from evonas.blueprint import Blueprint
from evonas.driver.changes import confirming, resumed_settings
from evonas.driver.loop import Search
from evonas.driver.preparation import Checked, Setup, check, set_up
from evonas.driver.recipe_check import transfer_lines
from evonas.driver.start import Start
from evonas.driver.user_callbacks import Callbacks, OnGeneration, OnTrial
from evonas.errors import FileError, RunError, WorkFailed
from evonas.evaluation.measures import LATENCIES
from evonas.evaluation.objectives import taken_measures
from evonas.evaluation.python_evaluator import UserFunction
from evonas.executors import EXECUTORS
from evonas.files import EXHAUSTED, refusal
from evonas.hardware.device import device_fingerprint, usable_cores
from evonas.key import key_of
from evonas.reports.data import data_lines
from evonas.reports.escape import printable
from evonas.reports.progress import make_display
from evonas.runs.ledger import Ledger
from evonas.runs.lock import RunLock
from evonas.runs.run import Run, load_run, read_run
from evonas.runs.run_folder import (
    DATABASE,
    IN_MEMORY,
    SPACE,
    new_run_folder,
    write_config,
)
from evonas.settings import RunSettings, Settings, Words
from evonas.space.document import document_of, read_space, read_space_file


@interrupts.handled()
def search(
    settings: Iterable[str] | Mapping[str, Any] = (),
    evaluate: UserFunction | None = None,
    *,
    on_trial: OnTrial | None = None,
    on_generation: OnGeneration | None = None,
) -> Run:
    """Starts a run and works on it until it is over.

    Args:
        settings: Words (`["space=nano", "budget.evaluations=16"]`) or nested plain values.
        evaluate: A function from a Blueprint to a number or a mapping of measures, in place of
            a training; objectives are then `name:max` or `name:min`.
        on_trial: Called with each trial and its outcome, once they are on record.
        on_generation: Called with the number of each generation, from 0, and the run so far,
            once as many designs are finished. What either of them raises ends the search as a
            signal does: it is raised here, and `resume` goes on.

    Raises:
        EvonasError: Something is wrong with the settings, the space or the data.
        KeyboardInterrupt: A signal came; the message says how to go on. Of a program that started
            Ray itself, a signal to the whole process group ends that Ray too. The search stops in
            the same way; but if the program keeps something of its own in Ray's object store
            (`ray.put`), a thread of Ray may end the process with exit code 1, as it does then
            without a search. What finished is on record either way.
    """
    words = Words(settings)
    if evaluate is not None:
        _by_function(words)
    checked = check(words, evaluate)
    given = [] if isinstance(settings, Mapping) else list(settings)
    with interrupts.held():
        folder = new_run_folder(checked.settings, given, checked.document.values, checked.facts)
        interrupts.say(_how_to_go_on(folder))
    with _telling_how_to_go_on(folder), RunLock(folder):
        ledger = Ledger.open(folder / DATABASE)
        callbacks = Callbacks(on_trial, on_generation, _how_to_go_on(folder))
        return _work(set_up(checked, folder, checked.facts), ledger, callbacks)


@interrupts.handled()
def optimise(
    fitness: Callable[[Any], Any],
    space: str | Path | Mapping[str, Any],
    objectives: str | Sequence[str] = "fitness:max",
    *,
    on_trial: OnTrial | None = None,
    on_generation: OnGeneration | None = None,
    **settings: Any,
) -> Run:
    """Searches the designs that a function finds best; writes nothing to the disk.

    Trials run in this process, one after the other, unless `executor` says otherwise.

    Args:
        fitness: From a design to a number or a mapping of measures. Of a space with `values`
            alone it gets these, as nested plain values, of any other the Blueprint.
        space: A name or path, or a mapping as in a space file.
        objectives: Each `name:max` or `name:min`; a plain number is the first.
        on_trial, on_generation: As of `search`.
        settings: Groups as in a settings file: `budget={"evaluations": 200}, run={"seed": 7}`.

    Raises:
        EvonasError: Something is wrong with the settings or the space.
    """
    words = Words({**settings, "objectives": objectives})
    _by_function(words)
    words.values["executor"] = {"name": "inline", **words.values.get("executor", {})}
    words.values.setdefault("display", "none")
    if isinstance(space, Mapping):
        document = document_of(space, "space")
    else:
        document = read_space(os.fspath(space))
    words.values["space"] = document.name
    only_values = not {"network", "training", "compression"} & set(document.values)
    checked = check(words, _OfValues(fitness) if only_values else fitness, document)
    ledger = Ledger.create(IN_MEMORY, checked.facts)
    callbacks = Callbacks(on_trial, on_generation)
    return _work(set_up(checked, IN_MEMORY, checked.facts), ledger, callbacks)


@dataclass(frozen=True)
class _OfValues:
    """A function of the values of a design; can be sent to another process if `fitness` can."""

    fitness: Callable[[Any], Any]

    def __call__(self, blueprint: Blueprint) -> Any:
        return self.fitness(copy.deepcopy(dict(blueprint.values)))


def _by_function(words: Words) -> None:
    """Lets the evaluator be the function that was given, with what else is said of it."""
    words.values["evaluator"] = {**words.values.get("evaluator", {}), "name": "python"}


@interrupts.handled()
def resume(
    folder: Path,
    given: Iterable[str] = (),
    evaluate: UserFunction | None = None,
    *,
    on_trial: OnTrial | None = None,
    on_generation: OnGeneration | None = None,
) -> Run:
    """Goes on with a run where it stopped, or beyond its old budget.

    Args:
        given: Words that change the budget, the executor or the display, or say where data lie.
        on_trial, on_generation: As of `search`; called of what finishes from now on.

    Raises:
        EvonasError: The run cannot go on, or a word would change what it searches.
    """
    given = list(given)
    run = load_run(folder)  # a missing run must not leave a lock behind
    interrupts.say(_how_to_go_on(folder))
    with _telling_how_to_go_on(folder), RunLock(folder):
        ledger = Ledger.open(folder / DATABASE)
        run = read_run(folder, ledger)
        settings = resumed_settings(run.settings, given)
        checked = _checked_again(run, settings, evaluate)
        if given:
            write_config(folder, settings, given)
        ledger.write_meta({"settings": settings.to_dict(), "ended": None})
        callbacks = Callbacks(on_trial, on_generation, _how_to_go_on(folder))
        return _work(set_up(checked, folder, run.facts), ledger, callbacks)


def confirm(
    folder: str | Path,
    given: Iterable[str] = (),
    evaluate: UserFunction | None = None,
    *,
    top: int | None = None,
    seeds: int | None = None,
) -> Run:
    """Trains the finalists of a run again, beyond its budget; it searches no further.

    Args:
        given: Words as of `resume`, and of `confirm`.
        top: So many designs; not set: as many as the run says, or three.
        seeds: Trainings of each from fresh seeds, in all; not set: as the run says.

    Raises:
        EvonasError: The run has no design to train again, or cannot go on.
    """
    folder = Path(folder).expanduser()
    return resume(folder, [*confirming(load_run(folder), top, seeds), *given], evaluate)


def _checked_again(run: Run, settings: Settings, evaluate: UserFunction | None) -> Checked:
    is_train = settings.evaluator.trains
    taken = taken_measures(settings, run.records.objectives)
    measures_latency = is_train and not LATENCIES.isdisjoint(taken)
    here = device_fingerprint(settings.latency.runtime, settings.latency.precision)
    if measures_latency and run.facts["device"] != here:
        raise RunError(
            f"Run {run.name} measured latency on another device, or with another version of its "
            f"runtime (fingerprint {run.facts['device'][:4]}, this is {here[:4]}). Resume it "
            "there, or start a new run here."
        )
    document = read_space_file(run.folder / SPACE, run.space.name)
    start = Start.from_dict(run.facts["start"]) if "start" in run.facts else None
    checked = check(Words(settings.to_dict()), evaluate, document, start)
    if not _is_same(run.facts["data"], checked.facts["data"]):
        raise RunError(
            f"Run {run.name} was made with other images than {settings.data.path or 'there are'}. "
            "Put the old ones back, say where they are by data.path=PATH, or start a new run."
        )
    if checked.facts.get("table") != run.facts.get("table"):
        raise RunError(
            f"Run {run.name} was made with another table in {settings.evaluator.path}. Put the old "
            "one back, or start a new run."
        )
    if checked.facts.get("teacher") != run.facts.get("teacher"):
        raise RunError(
            f"Run {run.name} learns from another model than there is now in "
            f"{settings.compression.distillation.teacher}. Put the old one back, or start a new "
            "run."
        )
    return checked


def _how_to_go_on(folder: Path) -> str:
    name = printable(folder.name if folder == RunSettings().folder / folder.name else str(folder))
    return f"Nothing that finished is lost. Go on by: evonas resume {name}"


@contextmanager
def _telling_how_to_go_on(folder: Path) -> Iterator[None]:
    """If something breaks down in the midst of the work, its message says how to go on."""
    try:
        yield
    except WorkFailed as failure:
        raise type(failure)([*failure.problems, _how_to_go_on(folder)]) from None
    except OSError as problem:
        if problem.errno not in EXHAUSTED:
            raise
        raise FileError([*refusal(problem).problems, _how_to_go_on(folder)]) from None


def _is_same(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> bool:
    """Whether these are the same data, as far as the run says: an earlier version noted less."""
    if before is None or now is None:
        return before is now
    return key_of(before) == key_of({name: now.get(name) for name in before})


def _work(setup: Setup, ledger: Ledger, callbacks: Callbacks) -> Run:
    settings, name = setup.settings, setup.folder.name
    try:
        run = read_run(setup.folder, ledger, setup.space)
        callbacks.begin(run, setup.evolver)
        executor = EXECUTORS[settings.executor.name](
            setup.evaluator, settings.executor, settings.executor.workers or usable_cores()
        )
        with make_display(name, settings, ledger.sessions()) as display:
            for line in data_lines(settings.data, setup.data) if setup.data else ():
                display.line(line)
            for line in (
                *setup.facts.get("start", {}).get("told", ()),
                *transfer_lines(settings, setup.space),
            ):
                display.line(line)
            if executor.clock is not None:  # all times of the run are then simulated ones
                ledger.clock = ledger.stopwatch = display.clock = executor.clock
                executor.go_on(*ledger.times())
            ended = Search(setup, run.records, ledger, executor, display, callbacks).run()
        ledger.write_meta({"ended": ended})
        return read_run(setup.folder, ledger, setup.space)
    finally:
        ledger.close()


__all__ = ["Run", "confirm", "optimise", "resume", "search"]
