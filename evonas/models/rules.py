"""What each key of a network section may hold, by builder: read by `check`.

A rule is a function from a value to what is wrong with it, a mapping of rules, or a list with
the rule of its items. `MayBeMissing` stands around rules of keys that have a default, `AnyNames`
around that of all values of a mapping.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from evonas.models.activations import ACTIVATIONS
from evonas.models.blocks import BLOCK_KEYS, BLOCKS
from evonas.models.cell import COMBINES
from evonas.models.initialise import INITIALISATIONS
from evonas.models.norms import NORMS
from evonas.models.operations import OPERATIONS
from evonas.networks import BUILDERS, nas_bench_201, nas_bench_macro
from evonas.networks.cells import GIVEN, MASK, UNUSED, state_name
from evonas.networks.stages import NO_SKIP
from evonas.registry import unknown_name
from evonas.space.gene import KeyPath

Problem = tuple[KeyPath, str]
Rule = Callable[[Any], str | None]
Alleles = Callable[[KeyPath, Any], list[Any]]  # all values that may stand in a place


@dataclass(frozen=True)
class MayBeMissing:
    """Around the rule of a key that has a default."""

    rule: Any


@dataclass(frozen=True)
class AnyNames:
    """Around the rule of all values of a mapping, whatever their keys are called."""

    rule: Any


def _nothing_more(network: Mapping[str, Any], alleles: Alleles) -> Iterator[Problem]:
    yield from ()


@dataclass(frozen=True)
class Rules:
    """The rules of one builder: key by key, and what no key can tell alone.

    `owners` says which operations take a key that not all of them take.
    """

    keys: Mapping[str, Any]
    owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    across: Callable[[Mapping[str, Any], Alleles], Iterator[Problem]] = _nothing_more


def _one_of(table: Mapping[str, Any], kind: str) -> Rule:
    def problem(value: Any) -> str | None:
        is_known = isinstance(value, str) and value in table
        return None if is_known else unknown_name(table, str(value), kind)

    return problem


def _whole(low: int, what: str, odd: bool = False) -> Rule:
    def problem(value: Any) -> str | None:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if is_whole and value >= low and (value % 2 or not odd):
            return None
        wanted = "an odd" if odd else "a"
        return f"{value} is not {what}. Write {wanted} whole number of at least {low}."

    return problem


def _expansion(value: Any) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return None if is_number and value >= 1 else f"{value} is not an expansion of at least 1."


def _true_or_false(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"{value} is neither true nor false."


def _fraction(value: Any) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return None if is_number and 0 <= value <= 1 else f"{value} is not a ratio between 0 and 1."


def _probability(value: Any) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return None if is_number and 0 <= value < 1 else f"{value} is not a probability below 1."


def _output(value: Any) -> str | None:
    if value in (UNUSED, MASK) or (
        isinstance(value, list) and value and all(map(_is_state, value))
    ):
        return None
    return f"{value} names no output. Write {UNUSED}, {MASK}, or a list of states as in [2, 3]."


def _is_state(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _cells_across(network: Mapping[str, Any], alleles: Alleles) -> Iterator[Problem]:
    """A block reads earlier states only; what goes out is there."""
    for name in ("normal", "reduction"):
        cell = network.get(name)
        blocks = cell.get("blocks") if isinstance(cell, dict) else None
        if not isinstance(cell, dict) or not isinstance(blocks, list):
            continue
        for index, block in enumerate(blocks):
            yield from _later_states(block, index, (name, "blocks", index), alleles)
        yield from _unknown_outputs(cell, name, GIVEN + len(blocks), alleles)


def _later_states(block: Any, index: int, path: KeyPath, alleles: Alleles) -> Iterator[Problem]:
    last = GIVEN + index - 1
    for side in ("left", "right"):
        term = block.get(side) if isinstance(block, dict) else None
        state = term.get("state") if isinstance(term, dict) else None
        for allele in alleles((*path, side, "state"), state):
            if _is_state(allele) and allele > last:
                yield (
                    (*path, side, "state"),
                    f"block {index} cannot read state {allele}, which comes later. "
                    f"It can read the states 0 to {last}.",
                )


def _unknown_outputs(
    cell: Mapping[str, Any], name: str, states: int, alleles: Alleles
) -> Iterator[Problem]:
    output, mask = cell.get("output"), cell.get("mask")
    known = [state_name(state) for state in range(states)]
    if isinstance(output, list):
        for state in output:
            if _is_state(state) and state >= states:
                yield (name, "output"), f"there is no state {state}: the last is {states - 1}."
    if MASK in alleles((name, "output"), output) and not isinstance(mask, dict):
        yield (name, "output"), f"a {MASK} goes out, and there is none. Add mask: {{state_0: ...}}."
    for key in mask if isinstance(mask, dict) else ():
        if key not in known:
            yield (name, "mask", key), unknown_name(known, str(key), "state")


CHANNELS = _whole(1, "a number of channels")
KERNEL = _whole(1, "a kernel that keeps the map's size", odd=True)
STRIDE = _whole(1, "a stride")

COMMON: Mapping[str, Any] = {
    "builder": _one_of(BUILDERS, "builder"),
    "activation": _one_of(ACTIVATIONS, "activation"),
    "norm": MayBeMissing(_one_of(NORMS, "norm")),
    "initialisation": MayBeMissing(_one_of(INITIALISATIONS, "initialisation")),
}
DROP_PATH = {"drop_path": MayBeMissing(_probability)}

STAGES: Mapping[str, Any] = {
    **COMMON,
    **DROP_PATH,
    "stem": {"channels": CHANNELS, "kernel": KERNEL, "stride": STRIDE},
    "stages": [
        {
            "operation": _one_of(BLOCKS, "operation"),
            "expansion": _expansion,
            "linear": MayBeMissing(_true_or_false),
            "activation": MayBeMissing(_one_of(ACTIVATIONS, "activation")),
            "kernel": KERNEL,
            "se_ratio": _fraction,
            "skip": _one_of({NO_SKIP: None, "identity": None}, "skip"),
            "channels": CHANNELS,
            "layers": _whole(1, "a number of layers"),
            "stride": STRIDE,
        }
    ],
    "head": {
        "channels": _whole(0, "a number of channels"),
        "hidden": MayBeMissing(_whole(0, "a number of neurons")),
        "fixed": MayBeMissing(_true_or_false),
    },
    "attention": MayBeMissing(
        {
            "base": _one_of({"input": None, "expanded": None}, "base"),
            "activation": _one_of(ACTIVATIONS, "activation"),
            "gate": _one_of(ACTIVATIONS, "gate"),
            "round8": _true_or_false,
        }
    ),
}

_TERM = {
    "operation": _one_of(OPERATIONS, "operation"),
    "state": _whole(0, "a state"),
}
_CELL = {
    "blocks": [{"left": _TERM, "right": _TERM, "combine": _one_of(COMBINES, "combine")}],
    "output": _output,
    "mask": MayBeMissing(AnyNames(_true_or_false)),
}
CELLS: Mapping[str, Any] = {
    **COMMON,
    **DROP_PATH,
    "assembly": _one_of({"nasnet": None, "darts": None}, "assembly"),
    "normal": _CELL,
    "reduction": _CELL,
}

_EDGES = {nas_bench_201.edge_name(*edge): _TERM["operation"] for edge in nas_bench_201.EDGES}
_LAYERS = {
    nas_bench_macro.layer_name(index): _one_of(nas_bench_macro.LAYERS, "layer")
    for index in range(len(nas_bench_macro.SHAPES))
}


def _owners() -> dict[str, tuple[str, ...]]:
    keys = dict.fromkeys(key for taken in BLOCK_KEYS.values() for key in taken)
    return {key: tuple(b for b, taken in BLOCK_KEYS.items() if key in taken) for key in keys}


RULES: Mapping[str, Rules] = {
    "stages": Rules(STAGES, _owners()),
    "cells": Rules(CELLS, across=_cells_across),
    "nas_bench_201": Rules({**COMMON, **_EDGES}),
    "nas_bench_macro": Rules({**COMMON, **DROP_PATH, **_LAYERS}),
}
