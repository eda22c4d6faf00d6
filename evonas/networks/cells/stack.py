"""Cells and stacks of cells as layers: what each reads, made to fit, and what it gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evonas.networks.cells.graph import ADD, CONCAT, IDENTITY
from evonas.networks.cells.operations import OPERATIONS
from evonas.networks.plan import Layer, Part


@dataclass(frozen=True)
class Maps:
    """What flows between cells: channels, and how often the input has been halved."""

    channels: int
    stride: int


@dataclass(frozen=True)
class Style:
    """What convolutions and norms of one network have in common."""

    activation: str
    norm: str
    drop_path: float

    @property
    def layer(self) -> dict[str, Any]:
        """The arguments of layers that begin with an activation."""
        return {"activation": self.activation, "norm": self.norm}


@dataclass(frozen=True)
class Step:
    """One cell to be built: normal or reduction, its filters and its stride.

    State 0 is the output before it; state 1 the one before that, or `is_far` one earlier.
    """

    cell: str
    filters: int
    stride: int
    is_far: bool = False


def plan_operation(name: str, channels: int, filters: int, stride: int, style: Style) -> Layer:
    """An operation from so many channels to so many."""
    operation = OPERATIONS[name]
    shape = {"in_channels": channels, "out_channels": filters, "stride": stride}
    return Layer(operation.module, {**shape, **style.layer, **operation.arguments})


def node(operations: Sequence[Layer], states: Sequence[int], combine: str) -> Layer:
    """A state of a cell: one operation on each of the earlier states, combined."""
    arguments = {"operations": list(operations), "states": list(states), "combine": combine}
    return Layer("Node", arguments)


class NasnetFits:
    """How NASNet makes maps fit: only where shapes differ, identities by a strided projection."""

    def __init__(self, style: Style) -> None:
        self.style = style

    def current(self, maps: Maps, filters: int) -> tuple[Layer, int]:
        """State 0: always projected."""
        return self._projection(maps.channels, filters), filters

    def previous(self, maps: Maps, current: Maps, filters: int) -> tuple[Layer, int]:
        """State 1: projected if its channels, reduced if its size differ; raw at the start."""
        if maps.stride != current.stride:
            return self._reduction(maps.channels, filters), filters
        if maps.channels == filters or maps is current:
            return self.identity(maps.channels, maps.channels, 1), maps.channels
        return self._projection(maps.channels, filters), filters

    def identity(self, channels: int, filters: int, stride: int) -> Layer:
        """An identity inside a cell."""
        return plan_operation(IDENTITY, channels, filters, stride, self.style)

    def _projection(self, channels: int, filters: int) -> Layer:
        shape = {"in_channels": channels, "out_channels": filters, "kernel": 1}
        return Layer("ActivationConvNorm", {**shape, **self.style.layer})

    def _reduction(self, channels: int, filters: int) -> Layer:
        shape = {"in_channels": channels, "out_channels": filters}
        return Layer("FactorizedReduction", {**shape, **self.style.layer})


class DartsFits(NasnetFits):
    """How DARTS does: both inputs always projected, strided identities by a reduction."""

    def previous(self, maps: Maps, current: Maps, filters: int) -> tuple[Layer, int]:
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

    def __init__(
        self,
        graph: Mapping[str, Any],
        step: Step,
        given: Sequence[Maps],
        fits: NasnetFits,
        drop_path: float,
    ) -> None:
        self.graph = graph
        self.step = step
        self.fits = fits
        self.drop_path = drop_path
        current, previous = given
        self.reads = self._read_inputs()
        raw = plan_operation(IDENTITY, current.channels, current.channels, 1, fits.style)
        first = fits.current(current, step.filters)
        second = fits.previous(previous, current, step.filters)
        # An input that no node reads passes through, so that there are no weights to no end.
        inputs = [
            fit if state in self.reads else (raw, 0) for state, fit in enumerate((first, second))
        ]
        self.inputs = [layer for layer, _ in inputs]
        self.channels = [channels for _, channels in inputs]
        self.nodes = [self._node(node) for node in self.graph["nodes"]]
        self.outputs = [self._fitted_output(state) for state in self.graph["outputs"]]
        channels = sum(self.channels[state] for state in self.outputs)
        self.output = Maps(channels, current.stride * step.stride)

    def layer(self) -> Layer:
        """The cell's module."""
        made = {"inputs": self.inputs, "nodes": self.nodes, "outputs": list(self.outputs)}
        return Layer("Cell", made)

    def _read_inputs(self) -> list[int]:
        read = {state for node in self.graph["nodes"] for _, state in node["terms"]}
        return sorted({*read, *self.graph["outputs"]} & set(range(self.graph["inputs"])))

    def _node(self, given: Mapping[str, Any]) -> Layer:
        operations = [self._term(name, state) for name, state in given["terms"]]
        copies = len(operations) if given["combine"] == CONCAT else 1
        self.channels.append(self.step.filters * copies)
        return node(operations, [state for _, state in given["terms"]], given["combine"])

    def _term(self, name: str, state: int) -> Layer:
        shape = (self.channels[state], self.step.filters, self._stride(state))
        if name == IDENTITY:
            return self.fits.identity(*shape)
        layer = plan_operation(name, *shape, self.fits.style)
        if not self.drop_path:
            return layer
        return Layer("Dropped", {"operation": layer, "probability": self.drop_path})

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
        shape = {"in_channels": channels, "out_channels": self.step.filters}
        bare = {"activation": None, "norm": self.fits.style.norm}
        projection = Layer("ActivationConvNorm", {**shape, "kernel": 1, **bare})
        fit = projection if stride == 1 else Layer("FactorizedReduction", {**shape, **bare})
        self.nodes.append(node([fit], [state], ADD))
        self.channels.append(self.step.filters)
        return len(self.channels) - 1


class Stack:
    """Cells in the making: the layers so far, what they read and what they give.

    Args:
        network: Scaled, with the graph of each cell.
        stem: The name of the part before the first cell.
        given: What that part gives.
    """

    def __init__(
        self, network: Mapping[str, Any], fits: NasnetFits, stem: str, given: Maps
    ) -> None:
        self.network = network
        self.fits = fits
        self.stem = stem
        self.cells: list[Layer] = []
        self.sources: list[list[int]] = []
        self.maps = [given]

    def add(self, layer: Layer, sources: list[int], maps: Maps) -> None:
        """Appends a layer that reads `sources` and gives `maps`."""
        self.cells.append(layer)
        self.sources.append(sources)
        self.maps.append(maps)

    def add_cells(self, steps: Sequence[Step]) -> None:
        """Appends one cell a step; drop path grows with the cell's place (NASNet, section 4)."""
        for index, step in enumerate(steps):
            drop_path = self.fits.style.drop_path * (index + 1) / len(steps)
            count = len(self.maps)
            sources = [count - 1, max(0, count - (3 if step.is_far else 2))]
            given = [self.maps[source] for source in sources]
            cell = _CellPlan(self.network[step.cell], step, given, self.fits, drop_path)
            # An input that is not read is given what the other one is, so that it needs no cell.
            read = [s if state in cell.reads else None for state, s in enumerate(sources)]
            only = next(source for source in read if source is not None)
            sources = [only if source is None else source for source in read]
            self.add(cell.layer(), sources, cell.output)

    @property
    def parts(self) -> list[Part]:
        """The cells, without those that the last one does not depend on."""
        needed = {len(self.cells)}
        for output in range(len(self.cells), 0, -1):
            if output in needed:
                needed |= set(self.sources[output - 1])
        kept = sorted({0, *needed})
        names = {
            output: f"cell_{place}" if place else self.stem for place, output in enumerate(kept)
        }
        return [
            Part(
                names[output],
                (self.cells[output - 1],),
                tuple(names[source] for source in self.sources[output - 1]),
            )
            for output in kept[1:]
        ]
