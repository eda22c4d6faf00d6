"""Parameters and multiply-adds, counted without memory or time for the real thing."""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from evonas.models.cell import Cell, CellStack, Dropped, Node
from evonas.models.plan import Layer, Plan
from evonas.networks.graph import CONCAT

Shape = tuple[int, ...]  # (channels, height, width) of maps, (features,) behind a head


@dataclass(frozen=True)
class Count:
    """`parameters`: trainable numbers. `macs`: multiply-adds of one image."""

    parameters: int
    macs: int

    def __add__(self, other: "Count") -> "Count":
        return Count(self.parameters + other.parameters, self.macs + other.macs)


Counted = tuple[Count, Shape]  # what a layer costs, and the shape that it gives
NOTHING = Count(0, 0)


def count(plan: Plan) -> Count:
    """Counts layer by layer on the meta device: exact, no weights in memory.

    A layer met before, on maps of the same shape, is not run again, so that counting another
    design of a space takes about a millisecond.
    """
    total, shape = NOTHING, tuple(plan.input_shape)
    for _, layers in plan.parts:
        for layer in layers:
            counted, shape = _through(layer, [shape])
            total += counted
    return total


def network_macs(network: nn.Module, input_shape: tuple[int, int, int]) -> int:
    """Multiply-adds of one image of (channels, height, width) through any network."""
    images = torch.empty(1, *input_shape, device="meta")
    return _run(copy.deepcopy(network).to("meta"), images)[0]


def _through(layer: Layer, given: Sequence[Shape]) -> Counted:
    container = CONTAINERS.get(layer.module)
    if container is not None:
        return container(layer.arguments, given)
    module: Any = layer.module  # mypy takes a class for one of its instances, which has no hash
    return _leaf(module, json.dumps(dict(layer.arguments)), given[0])


def _stack(arguments: Mapping[str, Any], given: Sequence[Shape]) -> Counted:
    total, shapes = NOTHING, list(given)
    for cell, sources in zip(arguments["cells"], arguments["sources"], strict=True):
        counted, shape = _through(cell, [shapes[source] for source in sources])
        total += counted
        shapes.append(shape)
    return total, shapes[-1]


def _cell(arguments: Mapping[str, Any], given: Sequence[Shape]) -> Counted:
    total, states = NOTHING, []
    for fit, shape in zip(arguments["inputs"], given, strict=True):
        counted, state = _through(fit, [shape])
        total += counted
        states.append(state)
    for node in arguments["nodes"]:
        counted, state = _through(node, states)
        total += counted
        states.append(state)
    return total, _concatenated([states[state] for state in arguments["outputs"]])


def _node(arguments: Mapping[str, Any], given: Sequence[Shape]) -> Counted:
    pairs = zip(arguments["operations"], arguments["states"], strict=True)
    terms = [_through(operation, [given[state]]) for operation, state in pairs]
    total = sum((counted for counted, _ in terms), start=NOTHING)
    shapes = [shape for _, shape in terms]
    if arguments["combine"] == CONCAT:
        return total, _concatenated(shapes)
    assert len(set(shapes)) == 1, f"maps of shapes {shapes} cannot be combined"
    return total, shapes[0]


def _dropped(arguments: Mapping[str, Any], given: Sequence[Shape]) -> Counted:
    return _through(arguments["operation"], given)


def _concatenated(shapes: Sequence[Shape]) -> Shape:
    sides = {shape[1:] for shape in shapes}
    assert len(sides) == 1, f"maps of shapes {shapes} cannot be concatenated"
    return (sum(shape[0] for shape in shapes), *sides.pop())


# Modules whose layers are counted one by one.
CONTAINERS: Mapping[type[nn.Module], Callable[[Mapping[str, Any], Sequence[Shape]], Counted]] = {
    CellStack: _stack,
    Cell: _cell,
    Node: _node,
    Dropped: _dropped,
}


@lru_cache(maxsize=1 << 16)
def _leaf(module: Callable[..., nn.Module], arguments: str, given: Shape) -> Counted:
    """Runs one layer on the meta device. `arguments` are JSON, which can be hashed."""
    with torch.device("meta"):
        layer = module(**json.loads(arguments))
        maps = torch.empty(1, *given)
    parameters = sum(p.numel() for p in layer.parameters())
    macs, shape = _run(layer, maps)
    return Count(parameters, macs), shape


def _run(network: nn.Module, maps: torch.Tensor) -> tuple[int, Shape]:
    """Multiply-adds and output shape of a forward pass; `network` is unfit for more then."""
    total = 0

    def add(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            weights_per_output = module.weight[0].numel()
            total += weights_per_output * output.shape[1:].numel()
        elif isinstance(module, nn.Linear):
            total += module.in_features * module.out_features

    for module in network.modules():
        module.register_forward_hook(add)
        if isinstance(module, nn.BatchNorm2d):
            # Shapes pass through it unchanged, and its meta kernel is by far the slowest.
            module.forward = nn.Identity().forward  # type: ignore[method-assign]
    with torch.no_grad():
        output = network(maps)
    return total, tuple(output.shape[1:])
