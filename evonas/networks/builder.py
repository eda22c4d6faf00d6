"""What `networks` has to know about each way of writing a network down."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evonas.networks.scale import Scale

Tidied = tuple[dict[str, Any], tuple[str, ...]]
Words = Mapping[str, int]  # how often each word occurs


@dataclass(frozen=True)
class Builder:
    """Functions of a network section; see the functions of the same names in `networks`."""

    tidied: Callable[[Mapping[str, Any]], Tidied]
    short: Callable[[Mapping[str, Any]], dict[str, Any]]
    scaled: Callable[[Mapping[str, Any], Scale], dict[str, Any]]
    meaning: Callable[[Mapping[str, Any]], Any]
    built_meaning: Callable[[Mapping[str, Any]], Any]
    aligned: Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]
    words: Callable[[Mapping[str, Any]], list[Words]]


def as_it_is(network: Mapping[str, Any]) -> Tidied:
    """For networks in which nothing can be chosen in vain."""
    return dict(network), ()


# What every network section may say, and what it means if it does not.
DEFAULTS: Mapping[str, Any] = {"norm": "batch", "initialisation": "auto", "drop_path": 0}


def without_defaults(network: Mapping[str, Any]) -> dict[str, Any]:
    """The section without keys that say what is meant anyway."""
    return {k: v for k, v in network.items() if k not in DEFAULTS or v != DEFAULTS[k]}


def filled(
    values: Mapping[str, Any], template: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """The values with those defaults written out that a space writes out."""
    wanted = {key: defaults[key] for key in defaults if key in template and key not in values}
    return {**values, **wanted}


def with_defaults(network: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    """For builders that write a network in one way only, but for defaults."""
    return filled(network, template, DEFAULTS)
