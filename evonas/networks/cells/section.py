"""Networks of normal and reduction cells: how NASNet, PNASNet, AmoebaNet and DARTS are written.

A cell is a list of blocks. Each applies an operation to one of two earlier states, `left`, and
one to another, `right`, and combines the results. State 0 is the output of the cell before,
state 1 that of the cell before it, states 2 onwards are the blocks'. What goes out is `unused`,
all blocks that no other block reads, or what a `mask` says of each state.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from evonas.networks.cells.graph import Graph, Node
from evonas.networks.grammar import Tidied, Words, without_defaults
from evonas.networks.scale import Scale, affordable_strides
from evonas.networks.shares import one_share, without_share

GIVEN = 2  # states that a cell is given
CELLS_OF = ("normal", "reduction")
UNUSED, MASK = "unused", "mask"
FILTER_UNIT = 4  # because stems have cells of a quarter of the filters

# The strides between input and last map, by assembly and stem: those of the stem first, then
# those of the reduction cells.
STRIDES: Mapping[str, Mapping[str, Sequence[int]]] = {
    "nasnet": {"cifar": (1, 2, 2), "imagenet": (2, 2, 2, 2, 2)},
    "darts": {"cifar": (1, 2, 2), "imagenet": (2, 2, 2, 2, 2)},
    "nas_bench_201": {"cifar": (1, 2, 2), "imagenet": (2, 2, 2)},
}


def state_name(state: int) -> str:
    """The key of a state in a mask."""
    return f"state_{state}"


def tidied(network: Mapping[str, Any]) -> Tidied:
    """A list of outputs as a mask; a mask that lets nothing out lets out what is unused."""
    tidy = dict(network)
    repairs: list[str] = []
    for name in CELLS_OF:
        tidy[name], repaired = _tidied_cell(network[name])
        repairs += [f"{name}.{sentence}" for sentence in repaired]
    return tidy, tuple(repairs)


def _tidied_cell(cell: Mapping[str, Any]) -> tuple[dict[str, Any], Sequence[str]]:
    if cell["output"] == UNUSED:
        return {"blocks": cell["blocks"], "output": UNUSED}, []
    written = _outputs(cell)
    outputs = written or _unused(cell["blocks"])
    states = range(GIVEN + len(cell["blocks"]))
    mask = {state_name(state): state in outputs for state in states}
    repairs = [] if written else ["mask: no state goes out, so the unused ones do"]
    return {"blocks": cell["blocks"], "output": MASK, "mask": mask}, repairs


def _outputs(cell: Mapping[str, Any]) -> tuple[int, ...]:
    """The states that go out, from a list, a mask or the word `unused`."""
    output = cell["output"]
    if output == UNUSED:
        return _unused(cell["blocks"])
    if output != MASK:
        return tuple(sorted(output))
    states = range(GIVEN + len(cell["blocks"]))
    return tuple(state for state in states if cell["mask"].get(state_name(state)))


def _unused(blocks: Sequence[Mapping[str, Any]]) -> tuple[int, ...]:
    read = {block[side]["state"] for block in blocks for side in ("left", "right")}
    return tuple(s for s in range(GIVEN, GIVEN + len(blocks)) if s not in read)


def cell_graph(cell: Mapping[str, Any]) -> Graph:
    """The graph of a cell as written."""
    nodes = tuple(
        Node(
            tuple((block[side]["operation"], block[side]["state"]) for side in ("left", "right")),
            block["combine"],
        )
        for block in cell["blocks"]
    )
    return Graph(GIVEN, nodes, _outputs(cell) or _unused(cell["blocks"]))


def scaled(network: Mapping[str, Any], scale: Scale) -> dict[str, Any]:
    """See `networks.scaled`."""
    graphs = {name: cell_graph(network[name]).live.to_dict() for name in CELLS_OF}
    return {**network, **graphs, **assembled(network["assembly"], scale)}


def assembled(assembly: str, scale: Scale) -> dict[str, Any]:
    """How many cells of how many filters a network has at a scale, and its strides.

    Raises:
        BuildError: The strides leave nothing of the input.
    """
    return {
        "builder": "cells",
        "filters": _filters(scale),
        "repeats": [math.ceil(count * scale.depth) for count in scale.repeats],
        "stem": scale.stem,
        "stem_channels": scale.stem_channels,
        "far_input": scale.far_input,
        "strides": affordable_strides(STRIDES[assembly][scale.stem], scale),
    }


def _filters(scale: Scale) -> int:
    """As written at width 1, else a multiple of 4."""
    if scale.width == 1:
        return scale.filters
    return max(FILTER_UNIT, round(scale.filters * scale.width / FILTER_UNIT) * FILTER_UNIT)


def narrowed(network: Mapping[str, Any], shares: Sequence[float]) -> dict[str, Any]:
    """See `networks.narrowed`; filters are multiples of 4, as at any width."""
    share = one_share(shares)
    filters = without_share(network["filters"], share, FILTER_UNIT)
    stem_channels = without_share(network["stem_channels"], share)
    return {**network, "filters": filters, "stem_channels": stem_channels}


def meaning(network: Mapping[str, Any]) -> Any:
    """See `networks.meaning`."""
    return {**without_defaults(network), **_each_cell(network, lambda g: g.meaning)}


def built_meaning(network: Mapping[str, Any]) -> Any:
    """See `networks.built_meaning`."""
    return {**without_defaults(network), **_each_cell(network, lambda g: g.built_meaning)}


def _each_cell(network: Mapping[str, Any], what: Any) -> dict[str, Any]:
    """Cells as they are written in a blueprint, or as graphs in a scaled network."""
    cells = {name: network[name] for name in CELLS_OF if name in network}
    return {
        name: what(Graph.from_dict(cell) if "nodes" in cell else cell_graph(cell))
        for name, cell in cells.items()
    }


def words(network: Mapping[str, Any]) -> list[Words]:
    """See `networks.words`."""
    return [words for name in CELLS_OF for words in _words_of(cell_graph(network[name]))]


@lru_cache(maxsize=4096)
def _words_of(cell: Graph) -> list[Words]:
    """Remembered, since a child mostly differs from its parent in one of its cells."""
    return list(cell.words())
