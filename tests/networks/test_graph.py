"""Cells as graphs: which parts count, and which graphs are equal."""

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.key import key_of
from evonas.networks.cells.graph import ADD, CONCAT, IDENTITY, MEAN, NONE, Graph, Node

property_test = settings(deadline=None, derandomize=True, max_examples=100)


def node(*terms: tuple[str, int], combine: str = ADD) -> Node:
    return Node(terms, combine)


def graph(*nodes: Node, outputs: tuple[int, ...] | None = None, inputs: int = 2) -> Graph:
    """Two inputs, and the last node as the output unless told otherwise."""
    last = inputs + len(nodes) - 1
    return Graph(inputs, nodes, (last,) if outputs is None else outputs)


def passing(*nodes: Node) -> Graph:
    """One input that identities pass on, as in NAS-Bench-201."""
    return Graph(1, nodes, (len(nodes),), passes_inputs=True)


A_OF_0, A_OF_1, NOTHING = node(("a", 0)), node(("a", 1)), node((NONE, 0))


@pytest.mark.parametrize(
    ("written", "live"),
    [
        (graph(node((NONE, 0), ("a", 1))), graph(A_OF_1)),
        (  # what only zeros feed
            graph(node((NONE, 0), (NONE, 1)), node(("a", 2), ("b", 0)), node(("c", 3), ("d", 2))),
            graph(node(("b", 0)), node(("c", 2))),
        ),
        (graph(A_OF_0, node(("b", 1)), node(("c", 2))), graph(A_OF_0, node(("c", 2)))),
        (graph(NOTHING, A_OF_1, outputs=(2, 3)), graph(A_OF_1)),
        (graph(A_OF_0, node(("b", 0)), outputs=(1, 3)), graph(node(("b", 0)), outputs=(1, 2))),
    ],
)
def test_zeros_and_what_nobody_reads_are_left_out_and_inputs_that_go_out_stay(
    written: Graph, live: Graph
) -> None:
    assert written.live == live


def test_a_combination_of_one_term_is_that_term() -> None:
    for combine in (CONCAT, MEAN):
        alone = graph(node((NONE, 0), ("a", 1), combine=combine))
        assert alone.live == graph(node(("a", 1)))


def test_a_cell_of_zeros_alone_keeps_one() -> None:
    empty = graph(node((NONE, 0)), node((NONE, 1), ("a", 2)), outputs=(2, 3))
    assert empty.live == graph(node((NONE, 0)))
    assert empty.live.live == empty.live


def test_an_identity_stands_for_the_terms_of_its_source() -> None:
    written = graph(node(("a", 0), ("b", 1)), node((IDENTITY, 2), ("c", 0)))
    spliced = graph(node(("a", 0), ("b", 1), ("c", 0)))
    assert written.meaning == spliced.meaning
    assert written.built_meaning == spliced.built_meaning


def test_an_identity_of_an_input_is_an_operation_unless_inputs_have_the_shape_of_states() -> None:
    plain, identical = node(("a", 0)), node((IDENTITY, 0))
    assert graph(identical, node(("a", 2))).meaning != graph(plain).meaning
    assert passing(identical, node(("a", 1))).meaning == passing(plain).meaning


@pytest.mark.parametrize("combine", [CONCAT, MEAN])
def test_an_identity_of_what_is_no_sum_is_an_operation(combine: str) -> None:
    first = node(("a", 0), ("b", 1), combine=combine)
    assert graph(first, node((IDENTITY, 2))).meaning != graph(first).meaning
    assert graph(first, node((IDENTITY, 2))).built_meaning != graph(first).built_meaning


@pytest.mark.parametrize("combine", [ADD, CONCAT, MEAN])
def test_the_order_of_operands_does_not_matter(combine: str) -> None:
    one = graph(node(("a", 0), ("b", 1), combine=combine))
    other = graph(node(("b", 1), ("a", 0), combine=combine))
    assert one.meaning == other.meaning
    assert one.built_meaning == other.built_meaning


def test_combinations_are_told_apart() -> None:
    graphs = [graph(node(("a", 0), ("b", 1), combine=combine)) for combine in (ADD, CONCAT, MEAN)]
    assert len({key_of(one.meaning) for one in graphs}) == 3
    assert len({key_of(one.built_meaning) for one in graphs}) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (graph(A_OF_0), graph(node(("a", 0), ("a", 0)))),
        (graph(A_OF_0), graph(A_OF_1)),
        # Sums are not nested, operations are.
        (
            graph(node(("a", 0), ("b", 0)), node(("c", 2))),
            graph(node(("c", 0)), node(("a", 2), ("b", 2))),
        ),
    ],
)
def test_terms_count_as_often_as_they_stand_there_and_by_what_they_read(
    one: Graph, other: Graph
) -> None:
    assert one.meaning != other.meaning


@pytest.mark.parametrize(
    ("shared", "copied"),
    [
        (
            graph(A_OF_0, node(("b", 2), ("c", 2))),
            graph(A_OF_0, A_OF_0, node(("b", 2), ("c", 3))),
        ),
        (  # b and c read the same copy, or each its own; the other feeds the output
            graph(A_OF_0, A_OF_0, node(("b", 2)), node(("c", 2)), outputs=(3, 4, 5)),
            graph(A_OF_0, A_OF_0, node(("b", 2)), node(("c", 3)), outputs=(3, 4, 5)),
        ),
    ],
)
def test_one_operation_read_twice_and_two_copies_differ_when_built_only(
    shared: Graph, copied: Graph
) -> None:
    assert shared.meaning == copied.meaning
    assert shared.built_meaning != copied.built_meaning


def test_which_states_go_out_together_tells_graphs_apart() -> None:
    nodes = (node(("a", 0)), node(("b", 1)))
    assert graph(*nodes, outputs=(2, 3)).meaning == graph(*nodes, outputs=(3, 2)).meaning
    assert graph(*nodes, outputs=(2, 3)).meaning != graph(*nodes).meaning


def test_plain_values_make_the_same_graph_again() -> None:
    made = graph(node(("a", 0), ("b", 1), combine=CONCAT), node(("c", 2)), outputs=(1, 3))
    assert Graph.from_dict(made.to_dict()) == made
    assert Graph.from_dict(passing(node(("a", 0))).to_dict()) == passing(node(("a", 0)))


@st.composite
def graphs(draw: st.DrawFn, most: int = 5) -> Graph:
    """Small graphs with few kinds of operations, so that equal ones are not rare."""
    inputs = draw(st.integers(1, 2))
    nodes = []
    for state in range(inputs, inputs + draw(st.integers(1, most))):
        source = st.integers(0, state - 1)
        name = st.sampled_from(["a", "b", IDENTITY, NONE])
        terms = draw(st.lists(st.tuples(name, source), min_size=1, max_size=3))
        nodes.append(Node(tuple(terms), draw(st.sampled_from([ADD, ADD, CONCAT, MEAN]))))
    states = inputs + len(nodes)
    outputs = draw(st.lists(st.integers(0, states - 1), min_size=1, unique=True))
    return Graph(inputs, tuple(nodes), tuple(sorted(outputs)), draw(st.booleans()))


def rearranged(one: Graph, random: Any) -> Graph:
    """Operands in another order, and nodes in another order that keeps sources first."""
    place = {state: state for state in range(one.inputs)}
    waiting = dict(enumerate(one.nodes, start=one.inputs))
    nodes = []
    while waiting:
        ready = [s for s, n in waiting.items() if all(source in place for _, source in n.terms)]
        state = random.choice(ready)
        moved = waiting.pop(state)
        terms = [(name, place[source]) for name, source in moved.terms]
        random.shuffle(terms)
        place[state] = one.inputs + len(nodes)
        nodes.append(Node(tuple(terms), moved.combine))
    outputs = tuple(sorted(place[state] for state in one.outputs))
    return Graph(one.inputs, tuple(nodes), outputs, one.passes_inputs)


@property_test
@given(graphs(), st.randoms(use_true_random=False))
def test_neither_the_order_of_nodes_nor_that_of_operands_matters(one: Graph, random: Any) -> None:
    other = rearranged(one, random)
    assert other.meaning == one.meaning
    assert other.built_meaning == one.built_meaning


@property_test
@given(graphs())
def test_the_live_graph_is_a_fixed_point_that_means_the_same(one: Graph) -> None:
    assert one.live.live == one.live
    assert one.live.meaning == one.meaning
    assert one.live.built_meaning == one.built_meaning


def operations(one: Graph) -> Counter[str]:
    """What is built, identities aside."""
    return Counter(name for n in one.live.nodes for name, _ in n.terms if name != IDENTITY)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Graph, Graph]:
    """A graph and one that is nearly the same: a term reads another state or does another thing."""
    one = draw(graphs())
    index = draw(st.integers(0, len(one.nodes) - 1))
    changed = one.nodes[index]
    term = draw(st.integers(0, len(changed.terms) - 1))
    name = draw(st.sampled_from(["a", "b", IDENTITY, NONE]))
    other = (name, draw(st.integers(0, one.inputs + index - 1)))
    terms = (*changed.terms[:term], other, *changed.terms[term + 1 :])
    nodes = (*one.nodes[:index], Node(terms, changed.combine), *one.nodes[index + 1 :])
    return one, rearranged(replace(one, nodes=nodes), draw(st.randoms(use_true_random=False)))


@property_test
@given(pairs())
def test_graphs_that_are_the_same_when_built_have_the_same_operations_and_mean_the_same(
    pair: tuple[Graph, Graph],
) -> None:
    one, other = pair
    if one.built_meaning == other.built_meaning:
        assert operations(one) == operations(other)
        assert one.meaning == other.meaning


def small_graphs() -> Iterator[Graph]:
    """All graphs of one input and three nodes, each of one or two terms of three operations."""
    for nodes in itertools.product(*(list(_nodes(state)) for state in (1, 2, 3))):
        for outputs in ((3,), (2, 3)):
            yield Graph(1, nodes, outputs, passes_inputs=True)


def _nodes(states: int) -> Iterator[Node]:
    terms = list(itertools.product(["a", "b", IDENTITY], range(states)))
    yield from (Node((term,)) for term in terms)
    yield from (Node(pair) for pair in itertools.combinations_with_replacement(terms, 2))


Part = tuple[str, tuple[int, ...]]  # an operation and the sorted operations (-1: input) it reads


def parts_of(one: Graph) -> list[Part]:
    """The operations of a graph of sums, identities aside, and what goes out."""
    values: list[list[int]] = [[-1]]
    parts: list[Part] = []
    for made in one.live.nodes:
        value: list[int] = []
        for name, source in made.terms:
            if name == IDENTITY:
                value += values[source]
            else:
                parts.append((name, tuple(sorted(values[source]))))
                value.append(len(parts) - 1)
        values.append(value)
    return [*parts, *(("out", tuple(sorted(values[state]))) for state in one.live.outputs)]


def are_isomorphic(first: list[Part], second: list[Part]) -> bool:
    """Tried out, one pairing of operations after the other."""

    def extend(pairing: dict[int, int]) -> bool:
        index = len(pairing) - 1
        if index == len(first):
            return True
        name, sources = first[index]
        wanted = (name, tuple(sorted(pairing[source] for source in sources)))
        places = [place for place, candidate in enumerate(second) if candidate == wanted]
        return any(
            extend({**pairing, index: place}) for place in places if place not in pairing.values()
        )

    return len(first) == len(second) and extend({-1: -1})


def test_graphs_are_the_same_when_built_if_and_only_if_they_are_isomorphic() -> None:
    every = list(small_graphs())
    chosen = np.random.default_rng(0).permutation(len(every))[:3000]
    classes: dict[str, list[list[Part]]] = {}
    for index in chosen:
        one = every[index]
        classes.setdefault(key_of(one.built_meaning), []).append(parts_of(one))
    for members in classes.values():
        assert all(are_isomorphic(members[0], other) for other in members[1:])
    alike: dict[str, list[list[Part]]] = {}
    for first, *_ in classes.values():
        alike.setdefault(str(sorted(name for name, _ in first)), []).append(first)
    for members in alike.values():
        for one, other in itertools.combinations(members, 2):
            assert not are_isomorphic(one, other)
    assert 100 < len(classes) < len(chosen)
