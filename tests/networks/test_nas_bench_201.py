"""All designs of NAS-Bench-201: how many there are, and that equal names mean equal functions."""

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from evonas.blueprint import Blueprint, network_key, plan_network
from evonas.key import key_of
from evonas.models import Network, initialise
from evonas.models.cell import Cell
from evonas.networks import Scale, tidied
from evonas.networks.cells.graph import Graph, Node
from evonas.networks.cells.nas_bench_201 import EDGES, cell_graph, edge_name

OPERATIONS = ("none", "skip_connect", "conv_1x1", "conv_3x3", "avg_pool_3x3")
SMALL = Scale("small", resolution_px=8, filters=4, repeats=(1, 1, 1))

Design = tuple[str, ...]  # the operations of the edges


def network(design: Sequence[str]) -> dict[str, Any]:
    edges = {edge_name(*edge): name for edge, name in zip(EDGES, design, strict=True)}
    return {"builder": "nas_bench_201", "activation": "relu", **edges}


@cache
def designs_by_meaning() -> Mapping[str, list[Design]]:
    """All 15,625 designs, equal ones together."""
    found: dict[str, list[Design]] = defaultdict(list)
    for design in itertools.product(OPERATIONS, repeat=len(EDGES)):
        found[key_of(cell_graph(network(design)).meaning)].append(design)
    return found


def test_a_state_is_the_sum_of_what_its_edges_bring() -> None:
    design = ("conv_1x1", "conv_3x3", "skip_connect", "none", "avg_pool_3x3", "conv_3x3")
    states = (
        Node((("conv_1x1", 0),)),
        Node((("conv_3x3", 0), ("skip_connect", 1))),
        Node((("none", 0), ("avg_pool_3x3", 1), ("conv_3x3", 2))),
    )
    assert cell_graph(network(design)) == Graph(1, states, (3,), passes_inputs=True)


def test_15625_designs_are_4930_functions() -> None:
    assert sum(map(len, designs_by_meaning().values())) == 5**6
    assert len(designs_by_meaning()) == 4930


@pytest.mark.slow
def test_15625_designs_are_5425_networks_each_of_one_function() -> None:
    functions: dict[str, str] = {}
    for meaning, designs in designs_by_meaning().items():
        for design in designs:
            built = key_of(cell_graph(network(design)).built_meaning)
            assert functions.setdefault(built, meaning) == meaning
    assert len(functions) == 5425


@pytest.mark.parametrize("seed", range(5))
def test_keys_follow_the_graphs(seed: int) -> None:
    picked = np.random.default_rng(seed).integers(len(OPERATIONS), size=(20, len(EDGES)))
    written = [network([OPERATIONS[index] for index in row]) for row in picked]
    blueprints = [Blueprint(tidied(each)[0]) for each in written]
    graphs = [cell_graph(each) for each in written]
    for (one, first), (other, second) in itertools.combinations(
        zip(blueprints, graphs, strict=True), 2
    ):
        assert (one.fingerprint == other.fingerprint) == (first.meaning == second.meaning)
        keys_are_equal = network_key(one, SMALL) == network_key(other, SMALL)
        assert keys_are_equal == (first.built_meaning == second.built_meaning)


def expressions(graph: Graph) -> list[list[str]]:
    """Of each operation of a live graph what it does to the cell's input, in words."""
    sums: list[list[str]] = [["input"]]
    found = []
    for node in graph.nodes:
        terms: list[str] = []
        row = []
        for name, source in node.terms:
            row.append(f"{name}({' + '.join(sorted(sums[source]))})")
            terms += sums[source] if name == "skip_connect" else [row[-1]]
        sums.append(terms)
        found.append(row)
    return found


def logits(design: Design) -> torch.Tensor:
    """Of a network whose weights say what they are for: equal expressions have equal weights."""
    made = Network(plan_network(Blueprint(network(design)), SMALL)).double().eval()
    rows = expressions(cell_graph(network(design)).live)
    for name, part in made.named_children():
        cells = [module for module in part.modules() if isinstance(module, Cell)]
        if not cells:
            fill(part, name)
        for index, cell in enumerate(cells):
            for node, row in zip(cell.nodes, rows, strict=True):
                for operation, expression in zip(node.operations, row, strict=True):
                    fill(operation, f"{name} {index} {expression}")
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        given: torch.Tensor = made(images)
    return given


def fill(module: nn.Module, words: str) -> None:
    initialise(module, int.from_bytes(hashlib.sha256(words.encode()).digest()[:6]))


@pytest.mark.slow
def test_equal_fingerprints_compute_equal_functions() -> None:
    rng = np.random.default_rng(0)
    classes = [designs for designs in designs_by_meaning().values() if len(designs) > 1]
    assert len(classes) > 500
    for index in rng.permutation(len(classes))[:60]:
        one, other = rng.choice(len(classes[index]), 2, replace=False)
        torch.testing.assert_close(logits(classes[index][one]), logits(classes[index][other]))


@pytest.mark.slow
def test_other_fingerprints_compute_other_functions() -> None:
    # Without pooling, which is linear: the mean of a sum is the sum of the means.
    rng = np.random.default_rng(1)
    classes = [
        designs[0]
        for designs in designs_by_meaning().values()
        if not any("avg_pool_3x3" in design for design in designs)
    ]
    given = [logits(classes[index]) for index in rng.permutation(len(classes))[:60]]
    for one, other in itertools.combinations(given, 2):
        assert not torch.allclose(one, other, rtol=1e-6, atol=1e-12)
