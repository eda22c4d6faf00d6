"""Evaluation by a function of the user's."""

import importlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evonas.blueprint import Blueprint
from evonas.errors import SettingsError, TrialFailure
from evonas.evaluation.evaluator import Evaluator
from evonas.trial import Outcome, Trial

UserFunction = Callable[[Blueprint], Any]


@dataclass(frozen=True)
class PythonEvaluator(Evaluator):
    """Calls `function(blueprint)`, which gives the objective's value or a mapping of measures."""

    function: UserFunction

    def prepare(self) -> None:
        """See `Evaluator.prepare`; the function loads what it needs by itself."""

    def training_key(self, blueprint: Blueprint) -> str:
        """See `Evaluator.training_key`."""
        return blueprint.fingerprint

    def __call__(self, trial: Trial) -> Outcome:
        """See `Evaluator.__call__`."""
        start = time.perf_counter()
        measures = dict(trial.known)
        if not all(name in measures for name in self.trained_measures):
            measures = self._measures(self.function(trial.blueprint))
        seconds = time.perf_counter() - start
        return Outcome(
            trial.number,
            "complete",
            measures,
            seconds=seconds,
            busy_seconds=seconds,
            source=trial.source,
        )

    def _measures(self, given: Any) -> dict[str, float]:
        names = [objective.name for objective in self.objectives]
        values = given if isinstance(given, Mapping) else {names[0]: given}
        missing = [name for name in names if name not in values]
        if missing:
            raise TrialFailure("error", f"the function gave no {', '.join(missing)}, but {given!r}")
        measures = {}
        for name, value in values.items():
            try:
                measures[str(name)] = float(value)
            except (TypeError, ValueError):
                raise TrialFailure("error", f"{name} is {value!r}, which is not a number") from None
        return measures


def find_function(place: str | None) -> UserFunction:
    """The function that `package.module:name` means, with the working folder importable.

    Raises:
        SettingsError: No such module or function.
    """
    module_name, colon, name = (place or "").partition(":")
    if not colon:
        raise SettingsError(
            "evaluator=python needs evaluator.function=package.module:name, the function to call."
        )
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as problem:
        raise SettingsError(f"evaluator.function={place}: {problem}.") from None
    if not callable(found):
        raise SettingsError(f"evaluator.function={place} is no function.")
    return found  # type: ignore[no-any-return]
