"""Evaluation by a function of the user's."""

import importlib
import math
import os
import reprlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evonas.blueprint import Blueprint
from evonas.errors import SettingsError, TrialFailure
from evonas.evaluation.evaluator import Evaluator
from evonas.evaluation.objectives import how_computed
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

    @property
    def built_measures(self) -> Sequence[str]:
        """None: whatever it is called, a measure is what the function gives."""
        return ()

    @property
    def trained_measures(self) -> Sequence[str]:
        """See `Evaluator.trained_measures`."""
        return self.measured

    def __call__(self, trial: Trial) -> Outcome:
        """See `Evaluator.__call__`."""
        start = time.perf_counter()
        measures = dict(trial.known)
        if not all(name in measures for name in self.trained_measures):
            measures = self._measures(self._called(trial.blueprint))
        seconds = time.perf_counter() - start
        return Outcome(
            trial.number,
            "complete",
            measures,
            seconds=seconds,
            busy_seconds=seconds,
            source=trial.source,
        )

    def _called(self, blueprint: Blueprint) -> Any:
        try:
            return self.function(blueprint)
        except SystemExit as leaving:  # must end neither the search nor its worker
            raise TrialFailure("error", f"the function wanted to exit: {leaving!r}") from None

    def _measures(self, given: Any) -> dict[str, float]:
        """What the function gave, as numbers.

        Raises:
            TrialFailure: A measure is missing or is one that evonas computes, or something is no
                number or is not finite.
        """
        values = given if isinstance(given, Mapping) else {self.objectives[0].name: given}
        missing = [name for name in self.measured if name not in values]
        if missing:
            shown = reprlib.repr(given)
            raise TrialFailure("error", f"the function gave no {', '.join(missing)}, but {shown}")
        own = [name for name in self.asked if name not in self.measured and name in values]
        if own:
            raise TrialFailure("error", f"the function gave {own[0]}, but {how_computed(own[0])}")
        measures = {str(name): _number(str(name), value) for name, value in values.items()}
        infinite = [f"{name} is {v}" for name, v in measures.items() if not math.isfinite(v)]
        if infinite:
            raise TrialFailure("diverged", ", ".join(infinite))
        return measures


def _number(name: str, value: Any) -> float:
    """A number of any library as a float; text and nothing are none.

    Raises:
        TrialFailure: It is no number.
    """
    try:
        if isinstance(value, str | bytes):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        text = f"{name} is {reprlib.repr(value)}, which is not a number"
        raise TrialFailure("error", text) from None


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
