"""A cell as a graph of states: which parts of it count, and which graphs are equal."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evonas.key import key_of

NONE = "none"  # the operation that gives zeros
IDENTITY = "skip_connect"  # the operation that passes a state on unchanged, where shapes allow it
ADD, CONCAT, MEAN, WEIGHTED = "add", "concat", "mean", "weighted"
COMBINES = (ADD, CONCAT, MEAN, WEIGHTED)


@dataclass(frozen=True)
class Node:
    """A state made of others: operations on earlier states, combined."""

    terms: tuple[tuple[str, int], ...]  # (operation, state)
    combine: str = ADD


@dataclass(frozen=True)
class Graph:
    """States 0 to `inputs - 1` are given; each node makes the next one from earlier ones.

    The cell's output are the states `outputs`, concatenated. `passes_inputs`: an identity on an
    input is one in fact, because inputs have the channels and the size of all states.
    """

    inputs: int
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    passes_inputs: bool = False

    @cached_property
    def live(self) -> "Graph":
        """The graph without zeros, without what only zeros feed, and without dead nodes.

        So a zero term is no term, also of a mean or a concatenation; this is how cells are
        built. A cell of zeros alone keeps one zero as its output.
        """
        alive = self._without_zeros()
        if not alive.outputs:
            zero = Node(((NONE, 0),))
            return Graph(self.inputs, (zero,), (self.inputs,), self.passes_inputs)
        read = alive._reachable()
        kept = [state for state in range(alive._states) if state < self.inputs or state in read]
        renamed = {state: place for place, state in enumerate(kept)}
        nodes = tuple(
            Node(tuple((name, renamed[source]) for name, source in node.terms), node.combine)
            for state, node in alive._numbered()
            if state in renamed
        )
        outputs = tuple(renamed[state] for state in alive.outputs)
        return Graph(self.inputs, nodes, outputs, self.passes_inputs)

    def _without_zeros(self) -> "Graph":
        """Zero terms and zero outputs left out; zero nodes stay behind, read by nobody."""
        zeros: set[int] = set()
        nodes = []
        for state, node in self._numbered():
            terms = tuple(t for t in node.terms if t[0] != NONE and t[1] not in zeros)
            if not terms:
                zeros.add(state)
            nodes.append(Node(terms, node.combine if len(terms) > 1 else ADD))
        outputs = tuple(state for state in self.outputs if state not in zeros)
        return Graph(self.inputs, tuple(nodes), outputs, self.passes_inputs)

    def _reachable(self) -> set[int]:
        read: set[int] = set()
        waiting = list(self.outputs)
        while waiting:
            state = waiting.pop()
            if state not in read:
                read.add(state)
                terms = () if state < self.inputs else self.nodes[state - self.inputs].terms
                waiting += [source for _, source in terms]
        return read

    @property
    def _states(self) -> int:
        return self.inputs + len(self.nodes)

    def _numbered(self) -> Iterator[tuple[int, Node]]:
        return enumerate(self.nodes, start=self.inputs)

    @property
    def meaning(self) -> Any:
        """Plain values that graphs of the same function share.

        Zeros and what they feed are left out, an identity stands for the terms of its source,
        and sums are sorted. A part that is read twice is written twice.
        """
        parts = _Parts(self.live)
        return sorted((parts.down(state) for state in parts.outputs), key=_text)

    @property
    def built_meaning(self) -> Any:
        """Plain values that only graphs with the same operations in the same places share."""
        return _Parts(self.live).colours()

    def words(self) -> list[dict[str, int]]:
        """The operations at work, counted; and the same with what each of them reads.

        The first two levels of the Weisfeiler-Lehman kernel, which tells how alike two cells are
        (arXiv 2006.07556, section 3.1).
        """
        return _Parts(self.live).words()

    def to_dict(self) -> dict[str, Any]:
        """Plain values; the inverse of `from_dict`."""
        return {
            "inputs": self.inputs,
            "nodes": [
                {"terms": [list(term) for term in node.terms], "combine": node.combine}
                for node in self.nodes
            ],
            "outputs": list(self.outputs),
            "passes_inputs": self.passes_inputs,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Graph":
        """A graph from plain values."""
        nodes = tuple(
            Node(tuple((name, source) for name, source in node["terms"]), node["combine"])
            for node in values["nodes"]
        )
        outputs = tuple(values["outputs"])
        return cls(values["inputs"], nodes, outputs, values["passes_inputs"])


Value = tuple["int | str", ...]  # what a state is the sum of: parts by index, inputs by name


@dataclass(frozen=True)
class _Part:
    """One operation at work, or one combination that is not a sum, on the states it reads."""

    label: str
    operands: tuple[Value, ...]


class _Parts:
    """A live graph as parts with identities spliced out."""

    def __init__(self, graph: Graph) -> None:
        self.parts: list[_Part] = []
        self._keys: dict[int, str] = {}
        self._values: list[Value] = [(f"input {index}",) for index in range(graph.inputs)]
        for node in graph.nodes:
            self._values.append(self._node(graph, node))
        self.outputs = [self._values[state] for state in graph.outputs]

    def _node(self, graph: Graph, node: Node) -> Value:
        terms = [self._term(graph, name, source) for name, source in node.terms]
        if node.combine == ADD:
            return tuple(atom for term in terms for atom in term)
        return self._new(node.combine, tuple(terms))

    def _term(self, graph: Graph, name: str, source: int) -> Value:
        value = self._values[source]
        passes = graph.passes_inputs
        if source >= graph.inputs:
            # A sum has the channels of all states; a concatenation has more, a mean is scaled.
            passes = graph.nodes[source - graph.inputs].combine == ADD
        return value if name == IDENTITY and passes else self._new(name, (value,))

    def _new(self, label: str, operands: tuple[Value, ...]) -> Value:
        self.parts.append(_Part(label, operands))
        return (len(self.parts) - 1,)

    def down(self, value: Value) -> Any:
        """What a value is made of, all the way to the inputs."""
        return sorted(self._down_atom(atom) for atom in value)

    def _down_atom(self, atom: int | str) -> str:
        """An input's name, or a key of the part's label and of what it is made of."""
        if isinstance(atom, str):
            return atom
        if atom not in self._keys:
            part = self.parts[atom]
            operands = sorted((self.down(value) for value in part.operands), key=_text)
            self._keys[atom] = key_of([part.label, operands])
        return self._keys[atom]

    def colours(self) -> Any:
        """Of each part what it is made of and what reads it, refined until nothing is new.

        The Weisfeiler-Leman test in one dimension (arXiv 1905.09550, section 3.1), begun with
        what each part is made of.
        """
        colours = [self._down_atom(index) for index in range(len(self.parts))]
        for _ in self.parts:
            colours = [key_of(self._neighbourhood(i, colours)) for i in range(len(self.parts))]
        return [self._coloured(self.outputs, colours), sorted(colours)]

    def words(self) -> list[dict[str, int]]:
        """See `Graph.words`; inputs and the output are words too."""
        labels: dict[int | str, str] = {i: part.label for i, part in enumerate(self.parts)}
        readers = [(part.label, part.operands) for part in self.parts]
        readers.append(("output", tuple(self.outputs)))
        inputs = {atom for _, values in readers for value in values for atom in value}
        names = {atom: str(labels.get(atom, atom)) for atom in inputs}
        given = [str(atom) for atom in inputs if atom not in labels]
        single = Counter([label for label, _ in readers] + given)
        pairs = Counter(
            f"{label}({','.join(sorted(names[atom] for value in values for atom in value))})"
            for label, values in readers
        )
        return [dict(single), dict(pairs)]

    def _neighbourhood(self, index: int, colours: Sequence[str]) -> Any:
        readers = [
            [colours[reader], self._coloured(part.operands, colours)]
            for reader, part in enumerate(self.parts)
            for value in part.operands
            if index in value
        ]
        outputs = [self._coloured([value], colours) for value in self.outputs if index in value]
        own = self._coloured(self.parts[index].operands, colours)
        return [colours[index], own, sorted(readers, key=_text), sorted(outputs, key=_text)]

    def _coloured(self, values: Sequence[Value], colours: Sequence[str]) -> Any:
        painted = (
            sorted(atom if isinstance(atom, str) else colours[atom] for atom in value)
            for value in values
        )
        return sorted(painted)


def _text(value: Any) -> str:
    return json.dumps(value)
