"""Everything that can be wrong with a search is found here, before a folder is made."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evonas.data import DATA_SETS, load_data
from evonas.driver.start import start_chromosomes
from evonas.errors import EvonasError, SettingsError
from evonas.evaluation import (
    EVALUATORS,
    OBJECTIVES,
    Evaluator,
    Objective,
    PythonEvaluator,
    TrainEvaluator,
    find_function,
    recipe_of,
)
from evonas.evaluation.python_evaluator import UserFunction
from evonas.evolution import EVOLVERS, Evolver
from evonas.executors import EXECUTORS
from evonas.hardware import device_fingerprint, reference_ms
from evonas.models import check_space, plan_network
from evonas.registry import pick, unknown_name
from evonas.runs.run import parse_objectives, run_scales
from evonas.settings import CHANGEABLE_ON_RESUME, Settings, Words
from evonas.space.document import SpaceDocument, read_space
from evonas.space.load import space_of
from evonas.space.recipe import check_recipe
from evonas.space.search_space import SearchSpace
from evonas.trial import Chromosome


@dataclass(frozen=True)
class Setup:
    """What a search works with. `folder` is the run's, `facts` go into its ledger."""

    settings: Settings
    space: SearchSpace
    evaluator: Evaluator
    evolver: Evolver
    folder: Path
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Checked:
    """Settings that hold together, and what was loaded to find that out."""

    settings: Settings
    space: SearchSpace
    document: SpaceDocument
    objectives: tuple[Objective, ...]
    function: UserFunction | None
    start: tuple[Chromosome, ...]
    facts: dict[str, Any]


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
    settings = words.settings()
    problems = _Problems(words.problems)
    problems.attempt(lambda: pick(EXECUTORS, settings.executor.name, "executor"))
    problems.attempt(lambda: pick(EVOLVERS, settings.evolver.name, "evolver"))
    problems.attempt(lambda: pick(EVALUATORS, settings.evaluator.name, "evaluator"))
    if settings.evaluator.name == "python" and function is None:
        function = problems.attempt(lambda: find_function(settings.evaluator.function))
    objectives = problems.attempt(lambda: parse_objectives(settings)) or ()
    _check_measures(settings, objectives, problems)
    document = document or problems.attempt(lambda: read_space(settings.space))
    space = problems.attempt(lambda: _checked_space(document, settings)) if document else None
    start = problems.attempt(lambda: start_chromosomes(settings, space)) if space else ()
    known_data = problems.attempt(lambda: pick(DATA_SETS, settings.data.name, "data set"))
    if problems.messages:
        if space is not None and known_data is not None and settings.evaluator.name == "train":
            problems.attempt(lambda: load_data(settings.data, space.scales["proxy"].resolution_px))
        raise SettingsError(problems.messages)
    assert document is not None, "without problems there is a document"
    assert isinstance(space, SearchSpace), "without problems there is a space"
    facts = _facts(settings, space)
    return Checked(settings, space, document, objectives, function, start, facts)


def set_up(checked: Checked, folder: Path, facts: Mapping[str, Any]) -> Setup:
    """The parts of a search over a run's folder; `facts` are those of its ledger."""
    settings, space = checked.settings, checked.space
    build_evolver = EVOLVERS[settings.evolver.name]
    evolver = build_evolver(settings.evolver, space, settings.run.seed, checked.start)
    return Setup(settings, space, _evaluator(checked, folder, facts), evolver, folder, facts)


def resumed_settings(settings: Settings, given: Iterable[str]) -> Settings:
    """The settings of a run with the words of a resume laid over them.

    Raises:
        SettingsError: A word would change what the run searches, or is wrong.
    """
    given = [_added(word, settings) for word in given]
    old = settings.to_dict()
    words = Words(given, defaults=old)
    changed = words.settings()
    new = changed.to_dict()
    for key in old:
        if key not in CHANGEABLE_ON_RESUME and new[key] != old[key]:
            keys = [k for k in words.origins if k[0] == key and words.origins[k]]
            shown = ", ".join(words.origins[k] for k in keys)
            words.problems.append(
                f"{shown}: a resume cannot change {key}, which is part of what the run searches. "
                f"It may change {', '.join(CHANGEABLE_ON_RESUME)}; for more, start a new run."
            )
    if words.problems:
        raise SettingsError(words.problems)
    return changed


def _added(word: str, settings: Settings) -> str:
    """`budget.evaluations=+50` as the sum it means."""
    key, _, value = word.partition("=")
    if key == "budget.evaluations" and value.startswith("+") and value[1:].isdigit():
        return f"{key}={settings.budget.evaluations + int(value[1:])}"
    return word


def _checked_space(document: SpaceDocument, settings: Settings) -> SearchSpace:
    space = space_of(document)
    scales = run_scales(space, settings, None)
    check_space(space, scales)
    check_recipe(space)
    example = space.decode([gene.default_number for gene in space.genes])
    recipe_of(settings.training, example)
    for scale in scales:
        plan_network(example, scale)
    return space


def _check_measures(
    settings: Settings, objectives: Iterable[Objective], problems: _Problems
) -> None:
    named = {objective.name for objective in objectives}
    known = {*OBJECTIVES, *named} if settings.evaluator.name == "train" else named
    for group in (settings.constraints, settings.budget.target):
        for name in group:
            if name not in known:
                problems.messages.append(unknown_name(known, name, "measure"))
    for name in settings.reference_point:
        if name not in named:
            problems.messages.append(unknown_name(named, name, "objective"))


def _facts(settings: Settings, space: SearchSpace) -> dict[str, Any]:
    """What the run depends on beside its settings; reading the data may fail."""
    facts: dict[str, Any] = {
        "settings": settings.to_dict(),
        "space": space.fingerprint,
        "device": device_fingerprint(),
        "data": None,
    }
    if settings.evaluator.name == "train":
        data = load_data(settings.data, space.scales["proxy"].resolution_px)
        facts["data"] = {
            "channels": data.channels,
            "classes": list(data.classes),
            "mean": data.mean,
            "deviation": data.deviation,
        }
        facts["reference_ms"] = reference_ms(settings.latency)
    return facts


def _evaluator(checked: Checked, folder: Path, facts: Mapping[str, Any]) -> Evaluator:
    settings = checked.settings
    if settings.evaluator.name == "python":
        assert checked.function is not None, "the python evaluator was given or found a function"
        return PythonEvaluator(settings, checked.objectives, checked.function)
    proxy, full = run_scales(checked.space, settings, facts["data"])
    trials = (folder / "trials").absolute()
    return TrainEvaluator(
        settings, checked.objectives, proxy, full, trials, float(facts["reference_ms"])
    )
