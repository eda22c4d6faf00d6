"""What can be wrong with the evaluator of a search and with the measures that it is asked for."""

from collections.abc import Iterable, Iterator

from evonas.errors import SettingsError
from evonas.evaluation.measures import MEASURES, derivations
from evonas.evaluation.objectives import Objective, taken_measures
from evonas.evaluation.table import Table, read_table
from evonas.evaluation.table_evaluator import measure_columns
from evonas.hardware.runtimes import RUNTIMES
from evonas.registry import unknown_name
from evonas.settings import EvaluatorSettings, Settings
from evonas.space.search_space import SearchSpace

SUPPRESSED = "latency_nms_ms"


def check_evaluator(settings: Settings) -> Iterator[str]:
    """Settings of an evaluator that another one was named for, in words."""
    evaluator = settings.evaluator
    if evaluator.name != "table":
        for key in (key for key in ("path", "observed", "duration") if getattr(evaluator, key)):
            yield f"evaluator.{key} is for evaluator=table, and this is evaluator={evaluator.name}."
    simulated = evaluator.duration or evaluator.duration_mean_s
    if evaluator.duration and evaluator.duration_mean_s:
        yield "evaluator.duration and evaluator.duration_mean_s exclude each other. Keep one."
    if evaluator.trains and evaluator.duration_mean_s:
        yield "evaluator.duration_mean_s is for functions and tables: a training takes its time."
    elif simulated and settings.executor.name != "virtual":
        yield f"Simulated durations need executor=virtual, got executor={settings.executor.name}."


def named_table(evaluator: EvaluatorSettings) -> Table | None:
    """The table that the settings name, if designs are to be looked up.

    Raises:
        EvonasError: None is named, or it cannot be read.
    """
    if evaluator.name != "table":
        return None
    if evaluator.path is None:
        raise SettingsError(
            "evaluator=table needs evaluator.path=FILE.csv, the table to look designs up in."
        )
    return read_table(evaluator.path)


def check_measures(
    settings: Settings,
    objectives: Iterable[Objective],
    table: Table | None,
    space: SearchSpace | None,
) -> Iterator[str]:
    """Names of measures that nothing gives, in words."""
    named = {objective.name for objective in objectives}
    known = {*_known_measures(settings, table, space), *named}
    is_open = settings.evaluator.name == "python"  # a function may give measures of any name
    for group in (settings.constraints, settings.budget.target):
        for name in group:
            if name not in known and not is_open:
                yield unknown_name(known, name, "measure")
    for name in settings.reference_point:
        if name not in named:
            yield unknown_name(named, name, "objective")


def check_suppression(settings: Settings, objectives: Iterable[Objective]) -> Iterator[str]:
    """What a latency with suppression inside cannot be measured with, in words."""
    if not settings.evaluator.trains or SUPPRESSED not in taken_measures(settings, objectives):
        return
    own = settings.latency
    if RUNTIMES[own.runtime].form is None:
        able = [name for name, runtime in RUNTIMES.items() if runtime.form is not None]
        yield (
            f"{SUPPRESSED} is of an ONNX model, and latency.runtime={own.runtime} times torch "
            f"networks. Set latency.runtime to one of {', '.join(able)}."
        )
    if own.batch != 1:
        yield f"{SUPPRESSED} is of one image, got latency.batch={own.batch}. Leave that out."


def _known_measures(settings: Settings, table: Table | None, space: SearchSpace | None) -> set[str]:
    """The measures that a run may be asked for beside its objectives."""
    if settings.evaluator.trains:
        return set(MEASURES)
    columns = measure_columns(table, space.genes if space else ()) if table else ()
    return {*columns, *settings.evaluator.observed, *derivations()}
