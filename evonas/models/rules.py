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
from evonas.models.chain_rules import CHAIN, chain_across
from evonas.models.initialise import INITIALISATIONS
from evonas.models.norms import NORMS
from evonas.models.operations import OPERATIONS
from evonas.models.rule_values import (
    MOST_LAYERS,
    MOST_PIXELS,
    Alleles,
    MayBeMissing,
    Problem,
    between,
    expansion,
    fraction,
    multiple,
    one_of,
    one_of_words,
    probability,
    share,
    too_many_layers,
    true_or_false,
    whole,
)
from evonas.networks import BUILDERS, nas_bench_201, nas_bench_macro
from evonas.networks.cells import GIVEN, MASK, UNUSED, state_name
from evonas.networks.stages import ORDERS, SKIPS
from evonas.registry import unknown_name
from evonas.space.gene import KeyPath


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


def _output(value: Any) -> str | None:
    if value in (UNUSED, MASK) or (
        isinstance(value, list) and value and all(map(_is_state, value))
    ):
        return None
    return f"{value} names no output. Write {UNUSED}, {MASK}, or a list of states as in [2, 3]."


def _is_state(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _stages_across(network: Mapping[str, Any], alleles: Alleles) -> Iterator[Problem]:
    """Blocks whose middle nothing can replace have one; layers have an end."""
    stages = network.get("stages")
    layers = 0
    for index, stage in enumerate(stages if isinstance(stages, list) else ()):
        if not isinstance(stage, dict):
            continue
        path = ("stages", index)
        counts = alleles((*path, "layers"), stage.get("layers"))
        layers += max((count for count in counts if type(count) is int), default=0)
        if layers > MOST_LAYERS:
            yield (*path, "layers"), too_many_layers(layers)
            return
        operations = alleles((*path, "operation"), stage.get("operation"))
        for operation in operations:
            key = NEED_A_MIDDLE.get(operation) if isinstance(operation, str) else None
            if key is not None and 0 in alleles((*path, key), stage.get(key)):
                yield (*path, key), f"{operation} needs a {key} above 0."


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


NEED_A_MIDDLE = {"residual": "mid_ratio", "bottleneck": "mid_ratio", "dual_path": "mid_growths"}
MOST_COLUMNS = 12  # of a fractal, whose longest has two to their number, halved, layers
CHANNELS = whole(1, "a number of channels")
KERNEL = whole(1, "a kernel that keeps the map's size", odd=True, most=MOST_PIXELS - 1)
STRIDE = whole(1, "a stride", most=MOST_PIXELS)

COMMON: Mapping[str, Any] = {
    "builder": one_of(BUILDERS, "builder"),
    "activation": one_of(ACTIVATIONS, "activation"),
    "norm": MayBeMissing(one_of(NORMS, "norm")),
    "initialisation": MayBeMissing(one_of(INITIALISATIONS, "initialisation")),
    "norm_eps": MayBeMissing(between(1e-12, 1, "what a norm adds to a variance")),
    "norm_momentum": MayBeMissing(between(0.0001, 1, "a share of a batch in a norm's statistics")),
    "leaky_slope": MayBeMissing(between(0, 1, "a slope of leaky ReLU")),
}
DROP_PATH = {"drop_path": MayBeMissing(probability)}

STAGES: Mapping[str, Any] = {
    **COMMON,
    **DROP_PATH,
    "stem": {
        "channels": whole(0, "a number of channels"),  # 0: no stem
        "kernel": KERNEL,
        "stride": STRIDE,
        "pool": MayBeMissing(one_of_words("pool", "none", "max", "average")),
        "deep": MayBeMissing(true_or_false),
        "bare": MayBeMissing(true_or_false),
    },
    "stages": [
        {
            "operation": one_of(BLOCKS, "operation"),
            "expansion": expansion,
            "linear": MayBeMissing(true_or_false),
            "activation": MayBeMissing(one_of(ACTIVATIONS, "activation")),
            "kernel": KERNEL,
            "se_ratio": fraction,
            "skip": one_of_words("skip", *SKIPS),
            "mid_ratio": multiple,
            "mid_growths": multiple,
            "groups": MayBeMissing(whole(1, "a number of groups")),
            "radix": MayBeMissing(whole(0, "a radix", most=64)),
            "order": MayBeMissing(one_of_words("order", *ORDERS)),
            "stride_place": MayBeMissing(one_of_words("stride_place", "first", "middle")),
            "shortcut": MayBeMissing(one_of_words("shortcut", "projection", "average", "padded")),
            "growth": whole(1, "a number of channels that a layer adds"),
            "compression": MayBeMissing(share),
            "dropout": MayBeMissing(probability),
            "stacked": MayBeMissing(true_or_false),
            "columns": whole(1, "a number of columns", most=MOST_COLUMNS),
            "csp": MayBeMissing(fraction),
            "csp_linear": MayBeMissing(true_or_false),
            "channels": CHANNELS,
            "layers": whole(1, "a number of layers", most=MOST_LAYERS),
            "stride": STRIDE,
        }
    ],
    "head": {
        "channels": whole(0, "a number of channels"),
        "hidden": MayBeMissing(whole(0, "a number of neurons")),
        "fixed": MayBeMissing(true_or_false),
        "pool": MayBeMissing(one_of_words("pool", "average", "max", "pyramid")),
    },
    "attention": MayBeMissing(
        {
            "base": one_of_words("base", "input", "expanded"),
            "activation": one_of(ACTIVATIONS, "activation"),
            "gate": one_of(ACTIVATIONS, "gate"),
            "round8": true_or_false,
        }
    ),
}

_TERM = {
    "operation": one_of(OPERATIONS, "operation"),
    "state": whole(0, "a state"),
}
_CELL = {
    "blocks": [{"left": _TERM, "right": _TERM, "combine": one_of(COMBINES, "combine")}],
    "output": _output,
    "mask": MayBeMissing(AnyNames(true_or_false)),
}
CELLS: Mapping[str, Any] = {
    **COMMON,
    **DROP_PATH,
    "assembly": one_of_words("assembly", "nasnet", "darts"),
    "normal": _CELL,
    "reduction": _CELL,
}

_EDGES = {nas_bench_201.edge_name(*edge): _TERM["operation"] for edge in nas_bench_201.EDGES}
_LAYERS = {
    nas_bench_macro.layer_name(index): one_of(nas_bench_macro.LAYERS, "layer")
    for index in range(len(nas_bench_macro.SHAPES))
}


def _owners() -> dict[str, tuple[str, ...]]:
    keys = dict.fromkeys(key for taken in BLOCK_KEYS.values() for key in taken)
    return {key: tuple(b for b, taken in BLOCK_KEYS.items() if key in taken) for key in keys}


RULES: Mapping[str, Rules] = {
    "stages": Rules(STAGES, _owners(), _stages_across),
    "cells": Rules(CELLS, across=_cells_across),
    "chain": Rules({**COMMON, **CHAIN}, across=chain_across),
    "nas_bench_201": Rules({**COMMON, **_EDGES}),
    "nas_bench_macro": Rules({**COMMON, **DROP_PATH, **_LAYERS}),
}
