"""What each key of a network of cells may hold."""

from collections.abc import Iterator, Mapping
from typing import Any

from evonas.networks import value_rules as rule
from evonas.networks.cells.graph import COMBINES
from evonas.networks.cells.operations import OPERATIONS
from evonas.networks.cells.section import GIVEN, MASK, UNUSED, state_name
from evonas.networks.rules import COMMON, DROP_PATH, AnyNames, Rules
from evonas.networks.value_rules import Alleles, MayBeMissing, Problem
from evonas.registry import unknown_name
from evonas.yaml_file import KeyPath


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


TERM = {
    "operation": rule.one_of(OPERATIONS, "operation"),
    "state": rule.whole(0, "a state"),
}
_CELL = {
    "blocks": [{"left": TERM, "right": TERM, "combine": rule.one_of_words("combine", *COMBINES)}],
    "output": _output,
    "mask": MayBeMissing(AnyNames(rule.true_or_false)),
}
KEYS: Mapping[str, Any] = {
    **COMMON,
    **DROP_PATH,
    "assembly": rule.one_of_words("assembly", "nasnet", "darts"),
    "normal": _CELL,
    "reduction": _CELL,
}

RULES = Rules(KEYS, across=_cells_across)
