"""Rules of single values: functions from a value to what is wrong with it, or None."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evonas.registry import unknown_name
from evonas.yaml_file import KeyPath

Problem = tuple[KeyPath, str]
Rule = Callable[[Any], str | None]
# What networks of any publication stay below by far: more is a slip, and no machine would build it.
MOST_CHANNELS = 2**16
MOST_PIXELS = 1024  # of a window, its stride and its padding
MOST_LAYERS = 10_000  # of a network
LARGEST_MULTIPLE = 256

Alleles = Callable[[KeyPath, Any], list[Any]]  # all values that may stand in a place


@dataclass(frozen=True)
class MayBeMissing:
    """Around the rule of a key that has a default."""

    rule: Any


def one_of(table: Mapping[str, Any], kind: str) -> Rule:
    """A name of a table."""

    def problem(value: Any) -> str | None:
        is_known = isinstance(value, str) and value in table
        return None if is_known else unknown_name(table, str(value), kind)

    return problem


def one_of_words(kind: str, *known: str) -> Rule:
    """One of these words."""
    return one_of(dict.fromkeys(known), kind)


def one_of_numbers(what: str, *known: int) -> Rule:
    """One of these whole numbers."""

    def problem(value: Any) -> str | None:
        is_known = type(value) is int and value in known
        return None if is_known else f"{value} is not {what}. Write {' or '.join(map(str, known))}."

    return problem


def whole(low: int, what: str, odd: bool = False, most: int = MOST_CHANNELS) -> Rule:
    """A whole number between bounds, ends included."""

    def problem(value: Any) -> str | None:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        wanted = "an odd" if odd else "a"
        if is_whole and value > most:
            return f"{value} is beyond {what}. Write {wanted} whole number of at most {most}."
        if is_whole and value >= low and (value % 2 or not odd):
            return None
        return f"{value} is not {what}. Write {wanted} whole number of at least {low}."

    return problem


def number(is_right: Callable[[float], bool], what: str) -> Rule:
    """A number of which that is true; of any other value it is said that it is not `what`."""

    def problem(value: Any) -> str | None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return None if is_number and is_right(value) else f"{value} is not {what}."

    return problem


def _times(low: int, what: str) -> Rule:
    """A multiple from `low` to what no network is beyond."""
    enough = number(lambda value: value >= low, f"{what} of at least {low}")

    def problem(value: Any) -> str | None:
        wrong = enough(value)
        is_beyond = wrong is None and value > LARGEST_MULTIPLE
        beyond = f"{value} is beyond {what}. Write at most {LARGEST_MULTIPLE}."
        return beyond if is_beyond else wrong

    return problem


def between(low: float, high: float, what: str) -> Rule:
    """A number between bounds, ends included."""
    bounds = f"{what}. Write a number from {low:g} to {high:g}"
    return number(lambda value: low <= value <= high, bounds)


expansion = _times(1, "an expansion")  # what blocks may widen to
multiple = _times(0, "a ratio")  # how many times something; zero leaves it out
fraction = number(lambda value: 0 <= value <= 1, "a ratio between 0 and 1")
probability = number(lambda value: 0 <= value < 1, "a probability below 1")
share = number(lambda value: 0 < value <= 1, "a share above 0, up to 1")


def true_or_false(value: Any) -> str | None:
    """A switch."""
    return None if isinstance(value, bool) else f"{value} is neither true nor false."


def too_many_layers(layers: int) -> str:
    """What is wrong with so many."""
    return f"here are {layers} layers, with those before. Write at most {MOST_LAYERS} together."
