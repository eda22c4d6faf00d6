"""NAS-Bench-201's cell: an operation on each of the six edges between four states.

arXiv 2001.00326, section 2.1. Keys `edge_01` to `edge_23`: from the state of the first digit to
that of the second. A state is the sum of what its edges bring; state 3 goes out.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evonas.networks.cells import CELLS
from evonas.networks.cells.graph import Graph, Node
from evonas.networks.cells.rules import TERM
from evonas.networks.cells.section import assembled
from evonas.networks.grammar import Words, as_it_is, without_defaults
from evonas.networks.rules import COMMON, Rules
from evonas.networks.scale import Scale

STATES = 4
EDGES = tuple((a, b) for b in range(1, STATES) for a in range(b))
ASSEMBLY = "nas_bench_201"


def edge_name(source: int, target: int) -> str:
    """The key of the edge between two states."""
    return f"edge_{source}{target}"


def cell_graph(network: Mapping[str, Any]) -> Graph:
    """The cell as a graph."""
    nodes = tuple(
        Node(tuple((network[edge_name(a, target)], a) for a in range(target)))
        for target in range(1, STATES)
    )
    return Graph(1, nodes, (STATES - 1,), passes_inputs=True)


def _as_cells(network: Mapping[str, Any], cell: Any) -> dict[str, Any]:
    edges = {edge_name(*edge) for edge in EDGES}
    rest = {key: value for key, value in network.items() if key not in edges}
    return {**rest, "builder": "cells", "assembly": ASSEMBLY, "normal": cell}


def scaled(network: Mapping[str, Any], scale: Scale) -> dict[str, Any]:
    """See `networks.scaled`."""
    cell = cell_graph(network).live.to_dict()
    return {**_as_cells(network, cell), **assembled(ASSEMBLY, scale)}


def meaning(network: Mapping[str, Any]) -> Any:
    """See `networks.meaning`."""
    return without_defaults(_as_cells(network, cell_graph(network).meaning))


def words(network: Mapping[str, Any]) -> list[Words]:
    """See `networks.words`."""
    return list(cell_graph(network).words())


NAS_BENCH_201 = replace(
    CELLS,
    rules=Rules({**COMMON, **{edge_name(*edge): TERM["operation"] for edge in EDGES}}),
    tidied=as_it_is,
    scaled=scaled,
    meaning=meaning,
    built_meaning=meaning,
    words=words,
)
