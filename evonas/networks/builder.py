"""What `networks` has to know about each way of writing a network down."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evonas.networks.scale import Scale

Tidied = tuple[dict[str, Any], tuple[str, ...]]


def as_it_is(network: Mapping[str, Any], _: Mapping[str, Any]) -> dict[str, Any]:
    """For builders that write a network in one way only."""
    return dict(network)


@dataclass(frozen=True)
class Builder:
    """Functions of a network section; see the functions of the same names in `networks`."""

    tidied: Callable[[Mapping[str, Any]], Tidied]
    scaled: Callable[[Mapping[str, Any], Scale], dict[str, Any]]
    meaning: Callable[[Mapping[str, Any]], Any]
    built_meaning: Callable[[Mapping[str, Any]], Any]
    aligned: Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]] = as_it_is


# What every network section may say, and what it means if it does not.
DEFAULTS: Mapping[str, Any] = {"norm": "batch", "initialisation": "he", "drop_path": 0}


def without_defaults(network: Mapping[str, Any]) -> dict[str, Any]:
    """The section without keys that say what is meant anyway."""
    return {k: v for k, v in network.items() if k not in DEFAULTS or v != DEFAULTS[k]}
