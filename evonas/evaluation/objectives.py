"""Measures that a search asks for: its objectives, and what has to be taken to know them."""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from evonas.errors import SettingsError
from evonas.evaluation.measures import MEASURES, Direction, derivation, derivations, needs_of
from evonas.registry import did_you_mean, unknown_name
from evonas.settings import Settings

DIRECTIONS: Mapping[str, Direction] = {"max": "maximise", "min": "minimise"}


@dataclass(frozen=True)
class Objective:
    """A measure that is asked for, with the direction in which it is better."""

    name: str
    direction: Direction
    unit: str = ""

    def fitness(self, value: float) -> float:
        """Larger is better."""
        return value if self.direction == "maximise" else -value


def parse_objective(text: str, is_open: bool = False) -> Objective:
    """An objective from `accuracy`, or from `anything:max` for measures that evonas does not know.

    Args:
        is_open: Measures are a function's or a table's, and may have any name.

    Raises:
        SettingsError: No such measure, or a direction that is neither max nor min.
    """
    name, colon, direction = text.partition(":")
    if not colon:
        if name in MEASURES:
            return Objective(name, MEASURES[name].direction, MEASURES[name].unit)
        if is_open:
            hint = did_you_mean(MEASURES, name)
            raise SettingsError(
                f"objectives: {name} has no direction. {hint}Write {name}:max or {name}:min."
            )
        raise SettingsError(unknown_name(MEASURES, name, "objective"))
    if direction not in DIRECTIONS:
        raise SettingsError(
            f'objectives: "{text}" has no direction. Write {name}:max or {name}:min.'
        )
    if name not in MEASURES:
        return Objective(name, DIRECTIONS[direction])
    if MEASURES[name].direction != DIRECTIONS[direction]:
        raise SettingsError(
            f"objectives: {name} is always {MEASURES[name].direction}d. Write {name} alone."
        )
    return parse_objective(name)


def asked_measures(settings: Settings, objectives: Iterable[Objective]) -> list[str]:
    """Names of the objectives, constraints and targets of a search, each once."""
    named = [*(objective.name for objective in objectives), *settings.constraints]
    return list(dict.fromkeys([*named, *settings.budget.target]))


def taken_measures(settings: Settings, objectives: Iterable[Objective]) -> list[str]:
    """Names of what has to be taken to know all that is asked for."""
    asked = asked_measures(settings, objectives)
    return list(dict.fromkeys(need for name in asked for need in needs_of(name)))


def derived_measures(
    names: Iterable[str], measures: Mapping[str, float], settings: Settings
) -> dict[str, float]:
    """Those of the names that can be computed from the measures; none that is not finite."""
    derived = {}
    for name in names:
        computed = derivation(name)
        if computed is not None and all(need in measures for need in computed.needs):
            with suppress(ArithmeticError, ValueError):
                derived[name] = computed.formula(measures, settings)
    return {name: value for name, value in derived.items() if math.isfinite(value)}


def check_derived(settings: Settings, objectives: Iterable[Objective]) -> Iterator[str]:
    """What derived measures lack of their settings, and settings of such that nobody asks for."""
    asked = asked_measures(settings, objectives)
    for name, computed in derivations().items():
        if name in asked:
            try:
                derived_measures([name], dict.fromkeys(computed.needs, 1.0), settings)
            except SettingsError as error:
                yield from error.problems
        elif computed.group:
            group = getattr(settings, computed.group)
            usual = type(group)()
            for key in (key for key, value in group if value != getattr(usual, key)):
                yield (
                    f"{computed.group}.{key} has no effect: nothing asks for {name}. Name that "
                    f"among the objectives, or leave {computed.group}.{key} out."
                )
