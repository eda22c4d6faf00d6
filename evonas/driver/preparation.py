"""Everything that can be wrong with a search is found here, before a folder is made."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evonas.blueprint import plan_network
from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.data.readers import DATA_SETS
from evonas.driver.filter import check_filter
from evonas.driver.limits import check_limits
from evonas.driver.recipe import check_recipe_settings, check_task, check_transfer
from evonas.driver.rungs import check_rung_genes, check_rungs
from evonas.driver.screen import check_screen
from evonas.driver.start import start_chromosomes
from evonas.errors import EvonasError, SettingsError, SpaceError
from evonas.evaluation.evaluator import Evaluator
from evonas.evaluation.evaluators import EVALUATORS
from evonas.evaluation.kit import recipe_of
from evonas.evaluation.measures import MEASURES, derivations
from evonas.evaluation.objectives import Objective, check_derived
from evonas.evaluation.python_evaluator import PythonEvaluator, UserFunction, find_function
from evonas.evaluation.table import Table, read_table
from evonas.evaluation.table_evaluator import Lookup, TableEvaluator, measure_columns, open_lookup
from evonas.evaluation.train_evaluator import TrainEvaluator
from evonas.evolution import Evolver, check_operators, evolver_class
from evonas.executors import EXECUTORS
from evonas.hardware.device import device_fingerprint
from evonas.hardware.latency import reference_ms
from evonas.hardware.runtimes import check_runtime
from evonas.registry import pick, unknown_name
from evonas.runs.run import parse_objectives
from evonas.settings import ExecutorSettings, Settings, Words
from evonas.space.check import check_space
from evonas.space.document import SpaceDocument, read_space
from evonas.space.load import space_of
from evonas.space.recipe import check_recipe
from evonas.space.run_scales import run_scales
from evonas.space.search_space import SearchSpace
from evonas.tasks import TASKS
from evonas.trial import Chromosome

LEAST_WORKERS = 64  # that any machine may be asked for


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
    start: tuple[Chromosome, ...]
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
    words: Words, function: UserFunction | None = None, document: SpaceDocument | None = None
) -> Checked:
    """Settings with every name looked up, the space checked and the data read.

    Args:
        document: The space to take in place of that which the settings name.

    Raises:
        SettingsError: With all problems of words, names, space and data at once.
    """
    settings, said = words.read()
    problems = _Problems(said)
    problems.messages += _too_many_workers(settings.executor)
    problems.attempt(lambda: _check_executor(settings.executor))
    problems.attempt(lambda: evolver_class(settings.evolver))
    problems.attempt(lambda: pick(EVALUATORS, settings.evaluator.name, "evaluator"))
    if settings.evaluator.name == "train":
        problems.attempt(lambda: check_runtime(settings.latency))
    if settings.evaluator.name == "python" and function is None:
        function = problems.attempt(lambda: find_function(settings.evaluator.function))
    settings = _with_objectives(settings)
    objectives = problems.attempt(lambda: parse_objectives(settings)) or ()
    settings = _with_epochs(_with_selection(settings, len(objectives)))
    problems.messages += _misplaced(settings)
    for check_part in (check_rungs, check_filter, check_screen, check_recipe_settings):
        problems.messages += check_part(settings)
    problems.messages += check_limits(settings, objectives)
    problems.messages += check_derived(settings, objectives) if objectives else ()
    document = document or problems.attempt(lambda: read_space(settings.space))
    space = problems.attempt(lambda: _checked_space(document, settings)) if document else None
    table = problems.attempt(lambda: _table(settings))
    _check_measures(settings, objectives, _known_measures(settings, table, space), problems)
    lookup = None
    if table and space and objectives:
        lookup = problems.attempt(lambda: open_lookup(table, space, settings, objectives))
    problems.messages += check_operators(settings.evolver, len(objectives) or 1, space)
    if settings.evolver.engine == "pygad_run" and settings.schedule != "generational":
        problems.messages.append(
            "evolver.engine=pygad_run breeds whole generations. Add schedule=generational."
        )
    start = problems.attempt(lambda: start_chromosomes(settings, space)) if space else ()
    known_data = problems.attempt(lambda: pick(DATA_SETS, settings.data.name, "data set"))
    if problems.messages:
        is_train = settings.evaluator.name == "train"
        if space is not None and space.has_network and known_data is not None and is_train:
            problems.attempt(lambda: _data(settings, space))
        raise SettingsError(problems.messages)
    assert document is not None, "without problems there is a document"
    assert isinstance(space, SearchSpace), "without problems there is a space"
    data = _data(settings, space)
    if data is not None:
        check_task(settings, objectives, data)
    facts = _facts(settings, space, data)
    facts |= {"table": table.key} if table else {}
    return Checked(settings, space, document, objectives, function, lookup, start, facts, data)


def _check_executor(settings: ExecutorSettings) -> None:
    lack = pick(EXECUTORS, settings.name, "executor").lack(settings)
    if lack is not None:
        raise SettingsError(lack)


def set_up(checked: Checked, folder: Path, facts: Mapping[str, Any]) -> Setup:
    """The parts of a search over a run's folder; `facts` are those of its ledger."""
    settings, space = checked.settings, checked.space
    make = evolver_class(settings.evolver)
    evolver = make(settings.evolver, space, settings.run.seed, checked.start)
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
    if settings.evaluator.name == "train" and space.template["values"]:
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


def _with_objectives(settings: Settings) -> Settings:
    """The main measure of the data's task, and latency, if no objectives are named."""
    known = DATA_SETS.get(settings.data.name)
    if (
        known is None
        or settings.evaluator.name != "train"
        or "objectives" in settings.model_fields_set
    ):
        return settings
    return settings.model_copy(update={"objectives": (TASKS[known.task].main, "latency_ms")})


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


def _misplaced(settings: Settings) -> Iterator[str]:
    """Settings of an evaluator that another one was named for."""
    own = settings.evaluator
    table_only = [key for key in ("path", "observed", "duration") if getattr(own, key)]
    if own.name != "table":
        for key in table_only:
            yield f"evaluator.{key} is for evaluator=table, and this is evaluator={own.name}."
    simulated = own.duration or own.duration_mean_s
    if own.duration and own.duration_mean_s:
        yield "evaluator.duration and evaluator.duration_mean_s exclude each other. Keep one."
    if own.name == "train" and own.duration_mean_s:
        yield "evaluator.duration_mean_s is for functions and tables: a training takes its time."
    elif simulated and settings.executor.name != "virtual":
        yield f"Simulated durations need executor=virtual, got executor={settings.executor.name}."


def _table(settings: Settings) -> Table | None:
    """The table that the settings name, if designs are to be looked up.

    Raises:
        EvonasError: None is named, or it cannot be read.
    """
    if settings.evaluator.name != "table":
        return None
    if settings.evaluator.path is None:
        raise SettingsError(
            "evaluator=table needs evaluator.path=FILE.csv, the table to look designs up in."
        )
    return read_table(settings.evaluator.path)


def _known_measures(settings: Settings, table: Table | None, space: SearchSpace | None) -> set[str]:
    """The measures that a run may be asked for beside its objectives."""
    if settings.evaluator.name == "train":
        return set(MEASURES)
    columns = measure_columns(table, space.genes if space else ()) if table else ()
    return {*columns, *settings.evaluator.observed, *derivations()}


def _check_measures(
    settings: Settings,
    objectives: Iterable[Objective],
    others: Iterable[str],
    problems: _Problems,
) -> None:
    named = {objective.name for objective in objectives}
    known = {*others, *named}
    is_open = settings.evaluator.name == "python"  # a function may give measures of any name
    for group in (settings.constraints, settings.budget.target):
        for name in group:
            if name not in known and not is_open:
                problems.messages.append(unknown_name(known, name, "measure"))
    for name in settings.reference_point:
        if name not in named:
            problems.messages.append(unknown_name(named, name, "objective"))


def _data(settings: Settings, space: SearchSpace) -> Dataset | None:
    """The images that designs are trained on, if they are."""
    if settings.evaluator.name != "train":
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
        facts["data"] = {
            **asdict(data.problem),
            "content": data.content,
        }
        facts["reference_ms"] = reference_ms(settings.latency)
    return facts


def _evaluator(checked: Checked, folder: Path, facts: Mapping[str, Any]) -> Evaluator:
    settings = checked.settings
    if settings.evaluator.name == "python":
        assert checked.function is not None, "the python evaluator was given or found a function"
        return PythonEvaluator(settings, checked.objectives, checked.function)
    if settings.evaluator.name == "table":
        assert checked.lookup is not None, "the table evaluator has read its table"
        return TableEvaluator(settings, checked.objectives, checked.lookup)
    proxy, full = run_scales(checked.space, settings, facts["data"])
    trials = (folder / "trials").absolute()
    return TrainEvaluator(
        settings, checked.objectives, proxy, full, trials, float(facts["reference_ms"])
    )
