"""Evaluation by a function of the user's."""

import importlib
import math
import os
import pkgutil
import reprlib
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from evonas.blueprint import Blueprint
from evonas.errors import SettingsError, TrialFailure
from evonas.evaluation.evaluator import Evaluator
from evonas.evaluation.measures import how_computed
from evonas.registry import did_you_mean, unknown_name
from evonas.trial import Assignment, Outcome
from evonas.user_code import place_of, summary_of

UserFunction = Callable[[Blueprint], Any]
NEEDS = "evaluator=python needs evaluator.function=package.module:name"


@dataclass(frozen=True)
class PythonEvaluator(Evaluator):
    """Calls `function(blueprint)`, which gives the objective's value or a mapping of measures."""

    function: UserFunction

    def prepare(self) -> None:
        """See `Evaluator.prepare`; the function loads what it needs by itself."""

    def training_key(self, blueprint: Blueprint) -> str:
        return blueprint.fingerprint

    def __call__(self, assignment: Assignment) -> Outcome:
        start = time.perf_counter()
        measures = dict(assignment.known)
        if not all(name in measures for name in self.measured):
            measures = self._measures(self._called(assignment.trial.blueprint))
        seconds = time.perf_counter() - start
        return Outcome(
            assignment.number,
            "complete",
            measures,
            seconds=seconds,
            busy_seconds=seconds,
            source=assignment.source,
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
        SettingsError: No such module or function, or the module cannot be imported: with the line
            of the user's own code that failed.
    """
    module_name, colon, name = (place or "").partition(":")
    if not colon:
        raise SettingsError(f"{NEEDS}{f', got {place}' if place else ', the function to call'}.")
    is_dotted = all(map(str.isidentifier, module_name.split(".")))
    if not (name.isidentifier() and is_dotted) or module_name.endswith(".py"):
        raise SettingsError(_ill_written(place, module_name, name))
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    where = f"evaluator.function={place}"
    module = _imported(module_name, where)
    if not hasattr(module, name):
        functions = [
            key for key, value in vars(module).items() if key[0] != "_" and callable(value)
        ]
        file = getattr(module, "__file__", None) or "no file"
        raise SettingsError(f"{where}: {unknown_name(functions, name, f'function in {file}')}")
    function = getattr(module, name)
    if not callable(function):
        raise SettingsError(f"{where}: {name} is no function, but {reprlib.repr(function)}.")
    return function  # type: ignore[no-any-return]


def _ill_written(place: str | None, module_name: str, name: str) -> str:
    """The message for what is no module and name, with what may have been meant."""
    parts = [*Path(module_name.removesuffix(".py")).parts]
    is_meant = name.isidentifier() and parts and all(map(str.isidentifier, parts))
    hint = f" Did you mean {'.'.join(parts)}:{name}?" if is_meant else ""
    return f"{NEEDS}, got {place}.{hint} The module lies in the working folder or is installed."


def _imported(name: str, where: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # it is the user's code that runs here
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{name}.".startswith(f"{missing}."):
            here = [module.name for module in pkgutil.iter_modules([os.getcwd()])]
            text = f"{where}: there is no module {missing}, neither in {os.getcwd()} nor installed."
            raise SettingsError(f"{text} {did_you_mean(here, missing)}".strip()) from None
        place = place_of(error)
        at = f", in {place}" if place else ""
        text = f"{where}: importing {name} failed{at}:\n  {summary_of(error)}"
        if isinstance(error, SystemExit):
            text += '. Put what makes it a program below if __name__ == "__main__":'
        raise SettingsError(text) from None
