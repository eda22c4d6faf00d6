"""A network as operations in a row that can be rewritten: what it is traced as, without classes."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from typing import Any

import torch
from torch import nn

from evonas.errors import BuildError
from evonas.models.memory_order import strided_pointwise, writes_beyond_its_memory
from evonas.models.trace import Step, trace

Shape = tuple[int, int, int]  # (channels, height, width)
STAND_IN = 5  # images of a trace that stands for any number


@dataclass(frozen=True)
class Value:
    """A tensor of a graph: the images, a weight, or what an operation gives."""

    number: int


@dataclass(frozen=True, eq=False)
class Operation:
    """What is done to which values; `place`: which of several results is the `result`."""

    kind: str
    function: Callable[..., Any]
    arguments: Mapping[str, Any]
    result: Value
    place: int = 0

    @property
    def reads(self) -> list[Value]:
        """The values among the arguments."""
        given = self.arguments.values()
        lists = [each if isinstance(each, list | tuple) else [each] for each in given]
        return [item for items in lists for item in items if isinstance(item, Value)]

    def reading(self, others: Mapping[Value, Any]) -> "Operation":
        """The same of other values, or of tensors in their place."""
        arguments = {name: _put(each, others) for name, each in self.arguments.items()}
        return replace(self, arguments=arguments)

    def run(self, values: Mapping[Value, torch.Tensor]) -> torch.Tensor:
        """Its result."""
        given: Any = self.function(*_put(list(self.arguments.values()), values))
        result: torch.Tensor = given[self.place] if isinstance(given, tuple | list) else given
        return result


def _put(given: Any, values: Mapping[Value, Any]) -> Any:
    if isinstance(given, list | tuple):
        return [_put(item, values) for item in given]
    return values.get(given, given) if isinstance(given, Value) else given


@dataclass(frozen=True)
class Graph:
    """Operations in an order in which they can run.

    `weights`: the tensors that are read and no operation's result. `outputs`: by name.
    """

    images: Value
    weights: Mapping[Value, torch.Tensor]
    operations: Sequence[Operation]
    outputs: Mapping[str, Value]

    @property
    def makers(self) -> dict[Value, Operation]:
        """The operation behind each result."""
        return {operation.result: operation for operation in self.operations}

    @property
    def readers(self) -> dict[Value, list[Operation]]:
        """The operations that read a value."""
        found = defaultdict[Value, list[Operation]](list)
        for operation in self.operations:
            for value in operation.reads:
                found[value].append(operation)
        return found

    def with_operations(
        self, operations: Iterable[Operation], weights: Mapping[Value, torch.Tensor] | None = None
    ) -> "Graph":
        """The graph of other operations, without those that no output needs."""
        weights = self.weights if weights is None else weights
        needed, kept = {*self.outputs.values()}, list[Operation]()
        for operation in reversed(list(operations)):
            if operation.result in needed:
                kept.append(operation)
                needed.update(operation.reads)
        weights = {value: tensor for value, tensor in weights.items() if value in needed}
        return replace(self, operations=tuple(reversed(kept)), weights=weights)

    def fresh(self) -> Iterator[Value]:
        """Values that are not there yet."""
        taken = (value.number for value in (*self.weights, *self.makers, self.images))
        return map(Value, count(1 + max(taken)))

    def giving(self, names: Iterable[str]) -> "Graph":
        """The graph of some outputs."""
        outputs = {name: self.outputs[name] for name in names}
        return replace(self, outputs=outputs).with_operations(self.operations)

    def behind(self, sources: Iterable[Value]) -> set[Value]:
        """These values, and all that come of them."""
        found = {*sources}
        for operation in self.operations:
            if found.intersection(operation.reads):
                found.add(operation.result)
        return found

    def computed(
        self, images: torch.Tensor, weights: Mapping[Value, torch.Tensor]
    ) -> Iterator[tuple[Value, torch.Tensor]]:
        """Each result as soon as it is there; what nobody reads any more is forgotten."""
        values = {self.images: images, **weights}
        yield self.images, images
        for operation, read_last in zip(self.operations, self._read_last, strict=True):
            values[operation.result] = operation.run(values)
            yield operation.result, values[operation.result]
            for value in read_last:
                del values[value]

    @cached_property
    def _read_last(self) -> list[set[Value]]:
        """For each operation the results that no later one reads."""
        seen, found = {self.images, *self.weights}, list[set[Value]]()
        for operation in reversed(self.operations):
            found.insert(0, {operation.result, *operation.reads} - seen)
            seen |= {operation.result, *operation.reads}
        return found


def graph_of(network: nn.Module, names: Sequence[str], shape: Shape) -> Graph:
    """What a network does to any number of images in evaluation mode, with copies of its weights.

    Raises:
        BuildError: It mixes images, so that their number cannot be left open.
    """
    device = next((str(tensor.device) for tensor in network.parameters()), "cpu")
    traced = trace(network, (STAND_IN, *shape), device=device)
    results = {id(step.result) for step in traced.steps}
    values: dict[int, Value] = {}
    weights: dict[Value, torch.Tensor] = {}

    def value(tensor: torch.Tensor) -> Value:
        if id(tensor) not in values:
            values[id(tensor)] = Value(len(values))
            if id(tensor) not in results:
                weights[values[id(tensor)]] = tensor
        return values[id(tensor)]

    (images,) = (value(each) for each in traced.given)
    del weights[images]
    operations = [_operation(step, value) for step in traced.steps]
    outputs = dict(zip(names, map(value, traced.outputs), strict=True))
    graph = Graph(images, weights, operations, outputs).with_operations(operations)
    return _with_constants(graph)


def _with_constants(graph: Graph) -> Graph:
    """What comes neither of images nor of parameters is computed once, on whatever device."""
    parameters = [v for v, tensor in graph.weights.items() if isinstance(tensor, nn.Parameter)]
    changing = graph.behind([graph.images, *parameters])
    weights, left = {**graph.weights}, list[Operation]()
    for operation in graph.operations:
        if operation.result in changing:
            left.append(operation)
        else:
            weights[operation.result] = operation.run(weights)
    return graph.with_operations(left, weights)


def _operation(step: Step, value: Callable[[torch.Tensor], Value]) -> Operation:
    def put(given: Any) -> Any:
        if isinstance(given, list | tuple):
            return [put(item) for item in given]
        return value(given) if isinstance(given, torch.Tensor) else given

    arguments = {name: put(given) for name, given in step.arguments.items()}
    return Operation(step.operation, _function(step), arguments, value(step.result), step.place)


def _function(step: Step) -> Callable[..., Any]:
    """What takes the arguments in their order."""
    if step.operation in SIZED and len(step.reads[0]) == STAND_IN:
        if step.arguments.get("size", [STAND_IN])[0] != STAND_IN:
            raise BuildError(
                "This network takes several images for one, which cannot be computed in 8 bits. "
                "Write compression.quantisation.method=none."
            )
        return SIZED[step.operation]
    if step.operation == "convolution" and writes_beyond_its_memory(
        step.arguments["weight"].shape,
        *(step.arguments[name] for name in ("stride", "padding", "groups")),
    ):
        return _pointwise
    function: Any = step.function
    keywords = [each.name for each in function._schema.arguments if each.kwarg_only]
    places = len(keywords)

    def call(*given: Any) -> Any:
        named = dict(zip(keywords, given[len(given) - places :], strict=True))
        return function(*given[: len(given) - places], **named)

    return call


def _pointwise(
    maps: torch.Tensor, weight: torch.Tensor, bias: Any, stride: Sequence[int], *_: Any
) -> torch.Tensor:
    return strided_pointwise(maps, weight, bias, stride)


def _reshaped(given: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    return given.reshape(len(given), *size[1:])  # maps may lie in memory in any order


def _expanded(given: torch.Tensor, size: Sequence[int], implicit: bool) -> torch.Tensor:
    return given.expand(len(given), *size[1:])


def _group_normed(given: torch.Tensor, weight: Any, bias: Any, count: int, *shape: Any) -> Any:
    return torch.native_group_norm(given, weight, bias, len(given), *shape)


# Operations that are told the number of images, which is left open.
SIZED: Mapping[str, Callable[..., Any]] = {
    "view": _reshaped,
    "_unsafe_view": _reshaped,
    "expand": _expanded,
    "native_group_norm": _group_normed,
}


class GraphNetwork(nn.Module):
    """A graph as a module. Its weights are copies, with numbers for names.

    It gives what a training needs while `is_learning`, as at first, and else what is deployed
    (see `models.deployed`).

    Args:
        trained, deployed: The names of outputs of the graph.
    """

    def __init__(self, graph: Graph, trained: Sequence[str], deployed: Sequence[str]) -> None:
        super().__init__()
        self.graphs = {True: graph.giving(trained), False: graph.giving(deployed)}
        self.is_learning = True
        for value, tensor in graph.weights.items():
            copied = tensor.detach().clone()
            if isinstance(tensor, nn.Parameter):
                self.register_parameter(_name(value), nn.Parameter(copied))
            else:
                self.register_buffer(_name(value), copied)

    @property
    def graph(self) -> Graph:
        """What it computes now."""
        return self.graphs[self.is_learning]

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what it gives now."""
        return tuple(self.graph.outputs)

    @property
    def weights(self) -> dict[Value, torch.Tensor]:
        """Those that the graph reads, as they are now."""
        return {value: getattr(self, _name(value)) for value in self.graph.weights}

    def forward(self, images: torch.Tensor) -> Any:
        """(batch, channels, height, width) to the output; to a tuple if there are several."""
        wanted, found = {*self.graph.outputs.values()}, self.weights
        for value, tensor in self.graph.computed(images, self.weights):
            if value in wanted:
                found[value] = tensor
        outputs = tuple(found[value] for value in self.graph.outputs.values())
        return outputs[0] if len(outputs) == 1 else outputs


def _name(value: Value) -> str:
    return f"w{value.number}"
