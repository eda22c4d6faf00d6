"""Cells to layers, by the assembly rules of NASNet, DARTS and NAS-Bench-201."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evonas.models.cell import (
    Cell,
    CellStack,
    Dropped,
    Node,
    NormActivation,
    ResidualReduction,
)
from evonas.models.layers import (
    ActivationConvNorm,
    ClassifierHead,
    ConvNormActivation,
    FactorizedReduction,
)
from evonas.models.operations import OPERATIONS
from evonas.models.plan import Layer, Plan
from evonas.networks.graph import CONCAT, IDENTITY

Parts = list[tuple[str, tuple[Layer, ...]]]


@dataclass(frozen=True)
class _Maps:
    """What flows between cells: channels, and how often the input has been halved."""

    channels: int
    stride: int


@dataclass(frozen=True)
class _Style:
    """What convolutions and norms of one network have in common."""

    activation: str
    norm: str
    drop_path: float

    @property
    def layer(self) -> dict[str, Any]:
        """The arguments of layers that begin with an activation."""
        return {"activation": self.activation, "norm": self.norm}


def plan_cells(network: Mapping[str, Any]) -> Plan:
    """The layers of a scaled network of cells (see `networks.scaled`)."""
    style = _Style(
        network["activation"], network.get("norm", "batch"), network.get("drop_path", 0.0)
    )
    parts = ASSEMBLIES[network["assembly"]](network, style)
    return Plan(tuple(parts), tuple(network["input"]), network["classes"])


@dataclass(frozen=True)
class _Step:
    """One cell to be built: normal or reduction, its filters and its stride."""

    cell: str
    filters: int
    stride: int


def _steps(network: Mapping[str, Any], strides: Sequence[int]) -> Iterator[_Step]:
    """Stacks of normal cells; before each but the first a reduction, which doubles the filters."""
    filters = network["filters"]
    for index, repeats in enumerate(network["repeats"]):
        if index:
            filters *= 2
            yield _Step("reduction", filters, strides[index - 1])
        yield from [_Step("normal", filters, 1)] * repeats


@dataclass
class _Stack:
    """Cells in the making: the layers so far, what they read and what they give."""

    network: Mapping[str, Any]
    style: _Style
    fits: "_Fits"
    given: _Maps
    cells: list[Layer] = field(default_factory=list)
    sources: list[list[int]] = field(default_factory=list)
    maps: list[_Maps] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.maps.append(self.given)

    def add(self, layer: Layer, sources: list[int], maps: _Maps) -> None:
        """Appends a layer that reads `sources` and gives `maps`."""
        self.cells.append(layer)
        self.sources.append(sources)
        self.maps.append(maps)

    def add_cell(self, step: _Step, back: int, share: float) -> None:
        """Appends a cell that reads the last output and the one `back` before the end.

        Args:
            share: Of the drop-path probability that holds for this cell.
        """
        last = len(self.maps) - 1
        sources = [last, max(0, len(self.maps) - back)]
        cell = _CellPlan(self, step, [self.maps[source] for source in sources], share)
        self.add(cell.layer(), sources, cell.output)

    def add_cells(self, steps: Sequence[_Step], offset: int = 0) -> None:
        """Appends one cell a step; drop path grows with the cell's place (NASNet, section 4)."""
        for index, step in enumerate(steps):
            after_reduction = index > 0 and steps[index - 1].cell == "reduction" and index > offset
            is_far = self.network["far_input"] and after_reduction and step.cell == "normal"
            self.add_cell(step, 3 if is_far else 2, (index + 1) / len(steps))

    @property
    def layer(self) -> Layer:
        """All of it as one module."""
        return Layer(CellStack, {"cells": self.cells, "sources": self.sources})


class _Fits:
    """How NASNet makes maps fit: only where shapes differ, identities by a strided projection."""

    def __init__(self, style: _Style) -> None:
        self.style = style

    def current(self, maps: _Maps, filters: int) -> tuple[Layer, int]:
        """State 0: always projected."""
        return self._projection(maps.channels, filters), filters

    def previous(self, maps: _Maps, current: _Maps, filters: int) -> tuple[Layer, int]:
        """State 1: projected if its channels, reduced if its size differ; raw at the start."""
        if maps.stride != current.stride:
            return self._reduction(maps.channels, filters), filters
        if maps.channels == filters or maps is current:
            return _operation(IDENTITY, maps.channels, maps.channels, 1, self.style), maps.channels
        return self._projection(maps.channels, filters), filters

    def identity(self, channels: int, filters: int, stride: int) -> Layer:
        """An identity inside a cell."""
        return _operation(IDENTITY, channels, filters, stride, self.style)

    def _projection(self, channels: int, filters: int) -> Layer:
        shape = {"in_channels": channels, "out_channels": filters, "kernel": 1}
        return Layer(ActivationConvNorm, {**shape, **self.style.layer})

    def _reduction(self, channels: int, filters: int) -> Layer:
        shape = {"in_channels": channels, "out_channels": filters}
        return Layer(FactorizedReduction, {**shape, **self.style.layer})


class _DartsFits(_Fits):
    """How DARTS does: both inputs always projected, strided identities by a reduction."""

    def previous(self, maps: _Maps, current: _Maps, filters: int) -> tuple[Layer, int]:
        """State 1: projected, or reduced if its size differs."""
        if maps.stride != current.stride:
            return self._reduction(maps.channels, filters), filters
        return self._projection(maps.channels, filters), filters

    def identity(self, channels: int, filters: int, stride: int) -> Layer:
        """An identity inside a cell."""
        if stride == 1:
            return super().identity(channels, filters, stride)
        return self._reduction(channels, filters)


class _CellPlan:
    """One cell of a stack: its inputs made to fit, its nodes, and what it gives."""

    def __init__(self, stack: _Stack, step: _Step, given: Sequence[_Maps], share: float) -> None:
        self.stack = stack
        self.step = step
        self.graph = stack.network[step.cell]
        self.drop_path = stack.style.drop_path * share
        current, previous = given
        used = self._used_states()
        raw = _operation(IDENTITY, current.channels, current.channels, 1, stack.style)
        first = stack.fits.current(current, step.filters)
        second = stack.fits.previous(previous, current, step.filters)
        # An input that no node reads passes through, so that there are no weights to no end.
        inputs = [first if 0 in used else (raw, 0), second if 1 in used else (raw, 0)]
        self.inputs = [layer for layer, _ in inputs]
        self.channels = [channels for _, channels in inputs]
        self.nodes = [self._node(node) for node in self.graph["nodes"]]
        self.outputs = [self._fitted_output(state) for state in self.graph["outputs"]]
        channels = sum(self.channels[state] for state in self.outputs)
        self.output = _Maps(channels, current.stride * step.stride)

    def layer(self) -> Layer:
        """The cell's module."""
        return Layer(
            Cell, {"inputs": self.inputs, "nodes": self.nodes, "outputs": list(self.outputs)}
        )

    def _used_states(self) -> set[int]:
        read = {state for node in self.graph["nodes"] for _, state in node["terms"]}
        return read | set(self.graph["outputs"])

    def _node(self, node: Mapping[str, Any]) -> Layer:
        operations = [self._term(name, state) for name, state in node["terms"]]
        copies = len(operations) if node["combine"] == CONCAT else 1
        self.channels.append(self.step.filters * copies)
        states = [state for _, state in node["terms"]]
        return Layer(Node, {"operations": operations, "states": states, "combine": node["combine"]})

    def _term(self, name: str, state: int) -> Layer:
        shape = (self.channels[state], self.step.filters, self._stride(state))
        if name == IDENTITY:
            return self.stack.fits.identity(*shape)
        layer = _operation(name, *shape, self.stack.style)
        if not self.drop_path:
            return layer
        return Layer(Dropped, {"operation": layer, "probability": self.drop_path})

    def _stride(self, state: int) -> int:
        """Only what reads an input has the cell's stride."""
        return self.step.stride if state < self.graph["inputs"] else 1

    def _fitted_output(self, state: int) -> int:
        """The state that goes out: inputs are first made as large as the nodes are."""
        if state >= self.graph["inputs"]:
            return state
        channels, stride = self.channels[state], self._stride(state)
        if stride == 1 and channels == self.step.filters:
            return state
        norm = self.stack.style.norm
        shape = {"in_channels": channels, "out_channels": self.step.filters}
        fit = (
            Layer(ActivationConvNorm, {**shape, "kernel": 1, "activation": None, "norm": norm})
            if stride == 1
            else Layer(FactorizedReduction, {**shape, "activation": None, "norm": norm})
        )
        self.nodes.append(Layer(Node, {"operations": [fit], "states": [state], "combine": "add"}))
        self.channels.append(self.step.filters)
        return len(self.channels) - 1


def _operation(name: str, channels: int, filters: int, stride: int, style: _Style) -> Layer:
    module, own = OPERATIONS[name]
    shape = {"in_channels": channels, "out_channels": filters, "stride": stride}
    return Layer(module, {**shape, **style.layer, **own})


def _convolution(
    in_channels: int, out_channels: int, stride: int, style: _Style, **more: Any
) -> Layer:
    """A 3x3 convolution of a stem: norm, and an activation only if `more` says so."""
    shape = {"in_channels": in_channels, "out_channels": out_channels, "kernel": 3}
    return Layer(ConvNormActivation, {**shape, "stride": stride, "norm": style.norm, **more})


def _head(stack: _Maps, network: Mapping[str, Any], style: _Style, activated: bool) -> Layer:
    return Layer(
        ClassifierHead,
        {
            "in_channels": stack.channels,
            "channels": 0,
            "classes": network["classes"],
            "activation": style.activation,
            "activation_first": activated,
        },
    )


def _nasnet(network: Mapping[str, Any], style: _Style) -> Parts:
    """The reference code of arXiv 1707.07012, slim/nets/nasnet.

    For ImageNet a convolution without padding, then two reduction cells of a quarter and a half
    of the filters.
    """
    channels, filters, strides = network["input"][0], network["filters"], network["strides"]
    is_deep = network["stem"] == "imagenet"
    stem_channels = network["stem_channels"] or (32 if is_deep else 3 * filters)
    more = {"padding": 0} if is_deep else {}
    stem = _convolution(channels, stem_channels, strides[0], style, **more)
    parts = ((4, strides[1]), (2, strides[2])) if is_deep else ()
    early = [_Step("reduction", filters // part, stride) for part, stride in parts]
    steps = [*early, *_steps(network, strides[-2:])]
    stack = _Stack(network, style, _Fits(style), _Maps(stem_channels, strides[0]))
    stack.add_cells(steps, offset=len(early))
    head = _head(stack.maps[-1], network, style, activated=True)
    return [("stem", (stem,)), ("cells", (stack.layer,)), ("head", (head,))]


def _darts(network: Mapping[str, Any], style: _Style) -> Parts:
    """The reference code of arXiv 1806.09055: for ImageNet three strided convolutions."""
    filters, strides = network["filters"], network["strides"]
    is_deep = network["stem"] == "imagenet"
    channels = network["stem_channels"] or (filters if is_deep else 3 * filters)
    early = [(channels // 2, strides[0], {"activation": style.activation})] if is_deep else []
    stem, given = [], _Maps(network["input"][0], 1)
    for wide, stride, more in (*early, (channels, strides[len(early)], {})):
        stem.append(_convolution(given.channels, wide, stride, style, **more))
        given = _Maps(wide, given.stride * stride)
    stack = _Stack(network, style, _DartsFits(style), given)
    if is_deep:
        shape = {"in_channels": channels, "out_channels": channels, "kernel": 3}
        last = Layer(ActivationConvNorm, {**shape, "stride": strides[2], **style.layer})
        stack.add(last, [0], _Maps(channels, given.stride * strides[2]))
    stack.add_cells(list(_steps(network, strides[-2:])))
    head = _head(stack.maps[-1], network, style, activated=False)
    return [("stem", tuple(stem)), ("cells", (stack.layer,)), ("head", (head,))]


def _nas_bench_201(network: Mapping[str, Any], style: _Style) -> Parts:
    """Section 2.1 of arXiv 2001.00326: cells with one input, residual blocks between them."""
    filters, strides = network["filters"], network["strides"]
    parts: Parts = [("stem", (_convolution(network["input"][0], filters, strides[0], style),))]
    for index, repeats in enumerate(network["repeats"]):
        if index:
            shape = {"in_channels": filters, "out_channels": 2 * filters, "stride": strides[index]}
            filters *= 2
            parts.append(
                (f"reduction_{index}", (Layer(ResidualReduction, {**shape, **style.layer}),))
            )
        cell = _single_input_cell(network["normal"], filters, style)
        parts.append((f"stage_{index + 1}", (cell,) * repeats))
    norm = Layer(NormActivation, {"channels": filters, **style.layer})
    head = _head(_Maps(filters, 1), network, style, activated=False)
    return [*parts, ("norm", (norm,)), ("head", (head,))]


def _single_input_cell(graph: Mapping[str, Any], filters: int, style: _Style) -> Layer:
    nodes = [
        Layer(
            Node,
            {
                "operations": [_operation(n, filters, filters, 1, style) for n, _ in node["terms"]],
                "states": [state for _, state in node["terms"]],
                "combine": node["combine"],
            },
        )
        for node in graph["nodes"]
    ]
    given = _operation(IDENTITY, filters, filters, 1, style)
    return Layer(Cell, {"inputs": [given], "nodes": nodes, "outputs": list(graph["outputs"])})


ASSEMBLIES: Mapping[str, Callable[[Mapping[str, Any], _Style], Parts]] = {
    "nasnet": _nasnet,
    "darts": _darts,
    "nas_bench_201": _nas_bench_201,
}
