"""Everything that can be wrong with a search is found here, before a folder is made."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evonas.blueprint import plan_network
from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.data.readers import DATA_SETS
from evonas.driver.compression_check import check_compression
from evonas.driver.evaluator_check import (
    check_evaluator,
    check_measures,
    check_suppression,
    named_table,
)
from evonas.driver.latency_screen import check_screen
from evonas.driver.limits import check_limits
from evonas.driver.proxy_filter import check_filter
from evonas.driver.recipe_check import check_recipe_settings, check_transfer
from evonas.driver.rungs import check_rung_genes, check_rungs
from evonas.driver.start import Start, start_of
from evonas.driver.task_check import check_kind, check_task, learnt_by
from evonas.driver.teacher_check import checked_teacher
from evonas.errors import EvonasError, SettingsError, SpaceError
from evonas.evaluation.evaluator import Evaluator
from evonas.evaluation.evaluators import EVALUATORS
from evonas.evaluation.kit import recipe_of
from evonas.evaluation.objectives import Objective, check_derived
from evonas.evaluation.python_evaluator import PythonEvaluator, UserFunction, find_function
from evonas.evaluation.table_evaluator import Lookup, TableEvaluator, open_lookup
from evonas.evaluation.train_evaluator import TrainEvaluator
from evonas.evolution import Evolver, check_operators, evolver_class
from evonas.executors import EXECUTORS
from evonas.hardware.device import device_fingerprint
from evonas.hardware.latency import reference_ms
from evonas.hardware.runtimes import check_runtime
from evonas.registry import pick
from evonas.runs.run import parse_objectives
from evonas.settings import ExecutorSettings, Settings, Words
from evonas.space.check import check_space
from evonas.space.document import SpaceDocument, read_space
from evonas.space.load import space_of
from evonas.space.run_scales import run_scales
from evonas.space.search_space import SearchSpace
from evonas.space.training_section import check_recipe
from evonas.tasks import TASKS, completed

LEAST_WORKERS = 64  # that any machine may be asked for
CHECKS = (check_evaluator, check_rungs, check_filter, check_screen, check_recipe_settings)


@dataclass(frozen=True)
class Setup:
    """What a search works with. `folder` is the run's, `facts` go into its ledger."""

    settings: Settings
    space: SearchSpace
    evaluator: Evaluator
    evolver: Evolver
    folder: Path
    facts: Mapping[str, Any]
    data: Dataset | None = None


@dataclass(frozen=True)
class Checked:
    """Settings that hold together, and what was loaded to find that out."""

    settings: Settings
    space: SearchSpace
    document: SpaceDocument
    objectives: tuple[Objective, ...]
    function: UserFunction | None
    lookup: Lookup | None
    start: Start
    facts: dict[str, Any]
    data: Dataset | None


class _Problems:
    """Collects messages from steps that each may fail."""

    def __init__(self, messages: Iterable[str] = ()) -> None:
        self.messages = list(messages)

    def attempt(self, step: Callable[[], Any]) -> Any:
        """What the step gives; None if it failed."""
        try:
            return step()
        except EvonasError as error:
            self.messages += error.problems
            return None


def check(
    words: Words,
    function: UserFunction | None = None,
    document: SpaceDocument | None = None,
    start: Start | None = None,
) -> Checked:
    """Settings with every name looked up, the space checked and the data read.

    Args:
        document: The space to take in place of that which the settings name.
        start: The first designs, where they are known already.

    Raises:
        SettingsError: With all problems of words, names, space and data at once.
    """
    settings, said = words.read()
    problems = _Problems(said)
    settings = _with_space(settings)
    document = document or problems.attempt(lambda: read_space(settings.space))
    _check_parts(settings, problems)
    function = _function(settings, function, problems)
    settings, objectives = _completed(settings, document, problems)
    problems.messages += _contradictions(settings, objectives)
    problems.messages += check_kind(settings, document) if document else ()
    space = problems.attempt(lambda: _checked_space(document, settings)) if document else None
    if space is not None:
        problems.attempt(lambda: check_compression(settings, space, objectives))
    table = problems.attempt(lambda: named_table(settings.evaluator))
    problems.messages += check_measures(settings, objectives, table, space)
    lookup = None
    if table and space and objectives:
        lookup = problems.attempt(lambda: open_lookup(table, space, settings, objectives))
    problems.messages += check_operators(settings.evolver, len(objectives) or 1, space)
    problems.messages += _without_generations(settings)
    if start is None and space is not None:
        start = problems.attempt(lambda: start_of(settings, space))
    known_data = problems.attempt(lambda: pick(DATA_SETS, settings.data.name, "data set"))
    if problems.messages:
        if space is not None and space.has_network and known_data is not None:
            problems.attempt(lambda: _data(settings, space))
        raise SettingsError(problems.messages)
    assert document is not None, "without problems there is a document"
    assert isinstance(space, SearchSpace), "without problems there is a space"
    data = _data(settings, space)
    if data is not None:
        check_task(settings, objectives, data)
    teacher = checked_teacher(settings, space, data) if data is not None else None
    facts = _facts(settings, space, data)
    facts |= {"table": table.key} if table else {}
    facts |= {"teacher": teacher} if teacher else {}
    start = start or Start()
    facts |= {"start": start.to_dict()} if start.designs else {}
    return Checked(settings, space, document, objectives, function, lookup, start, facts, data)


def _check_parts(settings: Settings, problems: _Problems) -> None:
    """Looks up what the settings name, and whether it can work here."""
    problems.messages += _too_many_workers(settings.executor)
    problems.attempt(lambda: _check_executor(settings.executor))
    problems.attempt(lambda: evolver_class(settings.evolver))
    problems.attempt(lambda: pick(EVALUATORS, settings.evaluator.name, "evaluator"))
    if settings.evaluator.trains:
        problems.attempt(lambda: check_runtime(settings.latency))


def _completed(
    settings: Settings, document: SpaceDocument | None, problems: _Problems
) -> tuple[Settings, tuple[Objective, ...]]:
    """Settings with defaults that depend on others, and the objectives that they name."""
    settings = _of_task(settings, document)
    objectives = problems.attempt(lambda: parse_objectives(settings)) or ()
    return _with_epochs(_with_selection(settings, len(objectives))), objectives


def _function(
    settings: Settings, given: UserFunction | None, problems: _Problems
) -> UserFunction | None:
    """The function that evaluates designs, if one does."""
    if settings.evaluator.name != "python":
        return None
    if given is not None:
        return given
    found: UserFunction | None = problems.attempt(
        lambda: find_function(settings.evaluator.function)
    )
    return found


def _contradictions(settings: Settings, objectives: Sequence[Objective]) -> Iterator[str]:
    """Settings that do not go together, in words."""
    for check_part in CHECKS:
        yield from check_part(settings)
    yield from check_limits(settings, objectives)
    yield from check_suppression(settings, objectives)
    if objectives:
        yield from check_derived(settings, objectives)


def _without_generations(settings: Settings) -> Iterator[str]:
    if settings.evolver.engine == "pygad_run" and settings.schedule != "generational":
        yield "evolver.engine=pygad_run breeds whole generations. Add schedule=generational."


def _check_executor(settings: ExecutorSettings) -> None:
    lack = pick(EXECUTORS, settings.name, "executor").lack(settings)
    if lack is not None:
        raise SettingsError(lack)


def set_up(checked: Checked, folder: Path, facts: Mapping[str, Any]) -> Setup:
    """The parts of a search over a run's folder; `facts` are those of its ledger."""
    settings, space = checked.settings, checked.space
    make = evolver_class(settings.evolver)
    evolver = make(settings.evolver, space, settings.run.seed, checked.start.designs)
    evaluator = _evaluator(checked, folder, facts)
    return Setup(settings, space, evaluator, evolver, folder, facts, checked.data)


def _checked_space(document: SpaceDocument, settings: Settings) -> SearchSpace:
    space = space_of(document)
    scales = run_scales(space, settings, None) if space.has_network else ()
    check_space(space, scales)
    check_recipe(space)
    check_rung_genes(space, settings.fidelity)
    example = space.decode([gene.default_number for gene in space.genes])
    recipe_of(settings.training, example)
    if settings.evaluator.trains and space.template["values"]:
        raise SpaceError(
            f"{space.place(('values',))}: a training does nothing with values. Search them by "
            "evaluator=python or evaluator=table, or leave the section out."
        )
    for scale in scales:
        plan_network(example, scale)
    check_transfer(settings, space)
    return space


def _too_many_workers(executor: ExecutorSettings) -> Iterator[str]:
    """Workers are processes of this machine, unless a cluster or a simulated clock has them."""
    cores = os.cpu_count() or 1
    most = max(LEAST_WORKERS, 8 * cores)
    is_here = executor.name in ("local", "ray") and executor.address == "local"
    if is_here and (executor.workers or 0) > most:
        yield (
            f"executor.workers={executor.workers}: each is a process of this machine, which has "
            f"{cores} cores. Write at most {most}."
        )


def _with_space(settings: Settings) -> Settings:
    """The space of the task of the data, where data are named and no space is."""
    known = DATA_SETS.get(settings.data.name)
    if "space" in settings.model_fields_set or known is None:
        return settings
    return settings.model_copy(update={"space": TASKS[known.task].space})


def _of_task(settings: Settings, document: SpaceDocument | None) -> Settings:
    """What the task of the networks has where nobody says: data, objectives and recipe."""
    if not settings.evaluator.trains:
        return settings
    learnt = learnt_by(document) if document else None
    if learnt is not None and "name" not in settings.data.model_fields_set:
        data = settings.data.model_copy(update={"name": TASKS[learnt].data})
        settings = settings.model_copy(update={"data": data})
    known = DATA_SETS.get(settings.data.name)
    if known is None:
        return settings
    task = TASKS[known.task]
    update: dict[str, Any] = {"training": completed(settings.training, task)}
    if "objectives" not in settings.model_fields_set:
        update["objectives"] = (task.main, "latency_ms")
    return settings.model_copy(update=update)


def _with_selection(settings: Settings, objectives: int) -> Settings:
    """NSGA-III for more than three objectives, if no selection is named.

    Crowding distances tell little there (Deb and Jain 2014, section I).
    """
    if objectives <= 3 or "selection" in settings.evolver.model_fields_set:
        return settings
    evolver = settings.evolver.model_copy(update={"selection": "tournament_nsga3"})
    return settings.model_copy(update={"evolver": evolver})


def _with_epochs(settings: Settings) -> Settings:
    """With rungs of epochs the last one is how long a training is."""
    if not settings.fidelity.rungs or settings.fidelity.of != "epochs":
        return settings
    training = settings.training.model_copy(update={"epochs": settings.fidelity.rungs[-1]})
    return settings.model_copy(update={"training": training})


def _data(settings: Settings, space: SearchSpace) -> Dataset | None:
    """The images that designs are trained on, if they are."""
    if not settings.evaluator.trains:
        return None
    return load_data(settings.data, space.scales["proxy"].resolution_px)


def _facts(settings: Settings, space: SearchSpace, data: Dataset | None) -> dict[str, Any]:
    """What the run depends on beside its settings."""
    facts: dict[str, Any] = {
        "settings": settings.to_dict(),
        "space": space.fingerprint,
        "device": device_fingerprint(settings.latency.runtime, settings.latency.precision),
        "data": None,
    }
    if data is not None:
        of_images = {"content": data.content, "validation_images": len(data.validation)}
        facts["data"] = {**asdict(data.problem), **of_images}
        facts["reference_ms"] = reference_ms(settings.latency)
    return facts


def _evaluator(checked: Checked, folder: Path, facts: Mapping[str, Any]) -> Evaluator:
    settings, objectives = checked.settings, checked.objectives
    if checked.function is not None:
        return PythonEvaluator(settings, objectives, checked.function)
    if checked.lookup is not None:
        return TableEvaluator(settings, objectives, checked.lookup)
    proxy, full = run_scales(checked.space, settings, facts["data"])
    trials = (folder / "trials").absolute()
    return TrainEvaluator(settings, objectives, proxy, full, trials, float(facts["reference_ms"]))
