"""Bags of words: what cells and stages are made of, the same for equal networks."""

from collections import defaultdict
from itertools import product
from typing import Any

import numpy as np
import pytest

from evonas.key import key_of
from evonas.networks import tidied, words
from evonas.networks.cells.graph import Graph, Node
from evonas.networks.cells.nas_bench_201 import EDGES, cell_graph, edge_name
from evonas.space import known_spaces, load_space

OPERATIONS = ("none", "skip_connect", "conv_1x1", "conv_3x3", "avg_pool_3x3")


def network(*design: str) -> dict[str, Any]:
    """A NAS-Bench-201 network from the operations of its edges 01, 02, 12, 03, 13, 23."""
    edges = {edge_name(*edge): name for edge, name in zip(EDGES, design, strict=True)}
    return {"builder": "nas_bench_201", "activation": "relu", **edges}


def test_operations_at_work_are_counted_with_what_they_read() -> None:
    design = ("conv_1x1", "none", "conv_3x3", "none", "skip_connect", "conv_3x3")
    single, pairs = words(network(*design))
    assert single == {"conv_1x1": 1, "conv_3x3": 2, "output": 1, "input 0": 1}
    assert pairs == {
        "conv_1x1(input 0)": 1,
        "conv_3x3(conv_1x1)": 1,
        "conv_3x3(conv_3x3)": 1,
        "output(conv_1x1,conv_3x3)": 1,
    }


def test_an_operation_that_reads_two_inputs_has_one_word_whatever_their_order() -> None:
    def graph(first: str, second: str) -> Graph:
        return Graph(2, (Node(((first, 0), (second, 1))), Node((("conv", 2),))), (3,), True)

    assert graph("a", "b").words() != graph("b", "a").words()
    swapped = Graph(2, (Node((("b", 1), ("a", 0))), Node((("conv", 2),))), (3,), True)
    assert swapped.words() == graph("a", "b").words()
    assert graph("a", "b").words()[1]["conv(a,b)"] == 1


def test_a_cell_of_zeros_has_words_too() -> None:
    single, pairs = words(network(*["none"] * 6))
    assert sum(single.values()) > 0
    assert sum(pairs.values()) > 0


def test_nas_bench_201_designs_that_are_built_alike_have_the_same_words() -> None:
    equal = defaultdict(list)
    for design in list(product(OPERATIONS, repeat=len(EDGES)))[::7]:
        graph = cell_graph(network(*design))
        equal[key_of(graph.meaning)].append((design, graph))
    alike = 0
    for (first, graph), *others in equal.values():
        for design, other in others:
            # Of the same function, but one may read an operation twice and the other have two.
            if other.built_meaning == graph.built_meaning:
                assert words(network(*design)) == words(network(*first))
                alike += 1
    assert alike > 500


def test_one_changed_operation_changes_the_words() -> None:
    own = words(network(*["conv_3x3"] * 6))
    for place in range(6):
        other = ["conv_3x3"] * 6
        other[place] = "avg_pool_3x3"
        assert all(a != b for a, b in zip(own, words(network(*other)), strict=True))


@pytest.mark.parametrize("name", known_spaces())
def test_all_designs_of_a_space_have_as_many_bags_and_positive_counts(name: str) -> None:
    space = load_space(name)
    rng = np.random.default_rng(0)
    read = [words(space.decode(space.sample(rng)).network) for _ in range(15)]
    assert {len(bags) for bags in read} == {len(read[0])}
    counts = [n for bags in read for bag in bags for n in bag.values()]
    assert all(type(n) is int and n > 0 for n in counts)
    assert len({key_of([dict(bag) for bag in bags]) for bags in read}) > 7


@pytest.mark.parametrize("name", known_spaces())
def test_words_survive_tidying(name: str) -> None:
    space = load_space(name)
    written = space.decode(space.sample(np.random.default_rng(1))).network
    assert words(tidied(written)[0]) == words(written)


def test_layers_that_pass_on_what_they_get_are_no_words() -> None:
    space = load_space("nas_bench_macro")
    layers = len(space.genes)
    counts = set()
    for number in range(3):
        kinds, pairs = words(space.decode([float(number)] * layers).network)
        assert sum(pairs.values()) == sum(kinds.values()) + 1
        counts.add(sum(kinds.values()))
    assert len(counts) == 2
    assert min(counts) < layers == max(counts)


def test_no_network_has_no_words() -> None:
    assert words({}) == []
