"""What the network section of a blueprint means: its tidy form, its form at a scale, its equals.

Each way of writing a network down, its grammar (`builder` in a space file), is one folder here
and one line in `GRAMMARS`. No torch: `models` turns what `planned` gives into modules. An empty
section is no network: designs may consist of other sections alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from evonas.networks.cells import CELLS
from evonas.networks.cells.nas_bench_201 import NAS_BENCH_201
from evonas.networks.chain import CHAIN
from evonas.networks.detector import DETECTOR
from evonas.networks.grammar import Grammar, Tidied, Words
from evonas.networks.plan import Plan
from evonas.networks.scale import Scale
from evonas.networks.stages import STAGES
from evonas.networks.stages.nas_bench_macro import NAS_BENCH_MACRO
from evonas.registry import pick

Network = Mapping[str, Any]

GRAMMARS: Mapping[str, Grammar] = {
    "stages": STAGES,
    "cells": CELLS,
    "chain": CHAIN,
    "nas_bench_201": NAS_BENCH_201,
    "nas_bench_macro": NAS_BENCH_MACRO,
    "detector": DETECTOR,
}


def tidied(network: Network) -> Tidied:
    """The section without choices that cannot be met, and a sentence for each of them."""
    return _grammar(network).tidied(network) if network else ({}, ())


def scaled(network: Network, scale: Scale) -> dict[str, Any]:
    """The section with every number as it is built at this scale, as its `plan` reads it.

    Raises:
        BuildError: The strides leave nothing of the input.
    """
    sized = _grammar(network).scaled(network, scale)
    return {"input": list(scale.input_shape), "classes": scale.classes, **sized}


def planned(scaled_network: Network) -> Plan:
    """The parts and layers of a section that `scaled` gave."""
    return _grammar(scaled_network).plan(scaled_network)


def narrowed(scaled_network: Network, shares: Sequence[float]) -> dict[str, Any]:
    """A section that `scaled` gave, with fewer channels.

    All widths, but for classes, lose a share, 0..1, and are multiples of 8 then.

    Args:
        shares: One for all, or one a stage, of which the last holds for further stages.

    Raises:
        BuildError: There are too many shares, or widths that cannot be narrowed so.
    """
    return _grammar(scaled_network).narrowed(scaled_network, shares)


def shallower(scaled_network: Network, shares: Sequence[float]) -> dict[str, Any]:
    """A section that `scaled` gave, with fewer blocks.

    Blocks lose a share, 0..1, whose input is added as it is to what they make of it.

    Args:
        shares: As for `narrowed`.

    Raises:
        BuildError: The network has no such blocks, or fewer stages than shares.
    """
    return _grammar(scaled_network).shallower(scaled_network, shares)


def with_classes(scaled_network: Network, classes: int) -> dict[str, Any]:
    """A section that `scaled` gave, for so many classes; all else is as it was.

    Raises:
        BuildError: It does not end with a layer that has a number for each class.
    """
    return _grammar(scaled_network).with_classes(scaled_network, classes)


def short(network: Network) -> dict[str, Any]:
    """The section without keys that say what holds anyway: equal if the same was chosen."""
    return _grammar(network).short(network) if network else {}


def meaning(network: Network) -> Any:
    """Plain values that are equal for networks that compute the same function.

    Two copies of an operation and one that is read twice count as the same: their weights may
    agree. `built_meaning` tells them apart.
    """
    return _grammar(network).meaning(network) if network else {}


def built_meaning(scaled_network: Network) -> Any:
    """Plain values that are equal for scaled networks that are the same when built."""
    return _grammar(scaled_network).built_meaning(scaled_network)


def strides(scaled_network: Network) -> tuple[int, ...]:
    """Those of the maps that a scaled network predicts from; empty if it sees images as a whole."""
    return _grammar(scaled_network).strides(scaled_network)


def aligned(network: Network, template: Network) -> dict[str, Any]:
    """The same network, written as a search space writes it; as it is if that is no question.

    Raises:
        ValueError: The space has no place for a part of it.
    """
    if not network or network["builder"] != template.get("builder"):
        return dict(network)
    return _grammar(network).aligned(network, template)


def words(network: Network) -> list[Words]:
    """What the network is made of as bags of words, as many bags for all networks of a space.

    Networks that share words are probably alike: a surrogate learns from that.
    """
    return _grammar(network).words(network) if network else []


def _grammar(network: Network) -> Grammar:
    return pick(GRAMMARS, str(network["builder"]), "builder")


__all__ = [
    "GRAMMARS",
    "Scale",
    "aligned",
    "built_meaning",
    "meaning",
    "narrowed",
    "planned",
    "scaled",
    "shallower",
    "short",
    "strides",
    "tidied",
    "with_classes",
    "words",
]
