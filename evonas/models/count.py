"""Parameters, multiply-adds and shapes, without memory or time for the real thing."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import nn

from evonas.models.network import build_layer
from evonas.models.receptive_field import PIXEL, Field, behind, joined, seen
from evonas.models.trace import trace
from evonas.networks.cells.graph import CONCAT, WEIGHTED
from evonas.networks.plan import IMAGES, Layer, Plan

Shape = tuple[int, ...]  # (channels, height, width) of maps, (features,) behind a head


@dataclass(frozen=True)
class Count:
    """`parameters`: trainable numbers. `macs`: multiply-adds of one image."""

    parameters: int
    macs: int

    def __add__(self, other: "Count") -> "Count":
        return Count(self.parameters + other.parameters, self.macs + other.macs)


class Maps(NamedTuple):
    """What goes from layer to layer. `field`: what a value sees of the image; None: all of it."""

    shape: Shape
    field: Field | None = PIXEL

    @property
    def receptive_field_px(self) -> int | None:
        """The larger side of what a value sees, padding included; None behind global pooling."""
        return None if self.field is None else max(span.pixels for span in self.field)

    @property
    def jump_px(self) -> int | None:
        """How far apart in the image two neighbours look; None behind global pooling."""
        return None if self.field is None else math.ceil(max(span.jump for span in self.field))


@dataclass(frozen=True)
class LayerCount:
    """A layer under the name that its weights have, what it costs and what it gives."""

    name: str
    module: str
    count: Count
    maps: Maps


Counted = tuple[Count, Maps]
NOTHING = Count(0, 0)


def count(plan: Plan) -> Count:
    """Counts layer by layer on the meta device: exact, no weights in memory.

    A layer met before, on maps of the same shape, is not run again, so that counting another
    design of a space takes about a millisecond.
    """
    return sum((layer.count for layer in count_layers(plan)), start=NOTHING)


def count_layers(plan: Plan) -> Iterator[LayerCount]:
    """The layers in the order of the plan, each with its own count."""
    maps = {IMAGES: Maps(tuple(plan.input_shape))}
    for part in plan.parts:
        given = [maps[name] for name in part.reads]
        for index, layer in enumerate(part.layers):
            name = part.name if len(part.layers) == 1 else f"{part.name}.{index}"
            counted, maps[part.name] = _through(layer, given)
            yield LayerCount(name, layer.module, counted, maps[part.name])
            given = [maps[part.name]]


def output_shapes(plan: Plan) -> list[Shape]:
    """What each output of the plan is for one image, without the batch."""
    behind_part = {layer.name.split(".")[0]: layer.maps.shape for layer in count_layers(plan)}
    return [behind_part[name] for name in plan.outputs]


def network_macs(network: nn.Module, input_shape: tuple[int, int, int]) -> int:
    """Multiply-adds of one image of (channels, height, width) through any network."""
    network = copy.deepcopy(network).to("meta")
    return trace(network, (1, *input_shape), device="meta").macs


def _through(layer: Layer, given: Sequence[Maps]) -> Counted:
    container = CONTAINERS.get(layer.module)
    if container is not None:
        return container(layer.arguments, given)
    counted, maps = _leaf(layer, tuple([each.shape for each in given]))
    first = given[0].field
    field = first if len(given) == 1 else joined([each.field for each in given])
    return counted, Maps(maps.shape, behind(maps.field, field))


def _cell(arguments: Mapping[str, Any], given: Sequence[Maps]) -> Counted:
    total, states = NOTHING, []
    for fit, maps in zip(arguments["inputs"], given, strict=True):
        counted, state = _through(fit, [maps])
        total += counted
        states.append(state)
    for node in arguments["nodes"]:
        counted, state = _through(node, states)
        total += counted
        states.append(state)
    return total, _concatenated([states[state] for state in arguments["outputs"]])


def _node(arguments: Mapping[str, Any], given: Sequence[Maps]) -> Counted:
    pairs = zip(arguments["operations"], arguments["states"], strict=True)
    terms = [_through(operation, [given[state]]) for operation, state in pairs]
    total = sum((counted for counted, _ in terms), start=NOTHING)
    if arguments["combine"] == WEIGHTED:
        total += Count(len(terms), 0)
    maps = [each for _, each in terms]
    if arguments["combine"] == CONCAT:
        return total, _concatenated(maps)
    shapes = [each.shape for each in maps]
    assert len(set(shapes)) == 1, f"maps of shapes {shapes} cannot be combined"
    return total, Maps(shapes[0], joined(each.field for each in maps))


def _dropped(arguments: Mapping[str, Any], given: Sequence[Maps]) -> Counted:
    return _through(arguments["operation"], given)


def _row(arguments: Mapping[str, Any], given: Sequence[Maps]) -> Counted:
    total, (maps,) = NOTHING, given
    for layer in arguments["layers"]:
        counted, maps = _through(layer, [maps])
        total += counted
    return total, maps


def _concat(arguments: Mapping[str, Any], given: Sequence[Maps]) -> Counted:
    branches = [_through(branch, given) for branch in arguments["branches"]]
    total = sum((counted for counted, _ in branches), start=NOTHING)
    return total, _concatenated([maps for _, maps in branches])


def _sum(arguments: Mapping[str, Any], given: Sequence[Maps]) -> Counted:
    total, maps = _concat(arguments, given)
    shape = (maps.shape[0] // len(arguments["branches"]), *maps.shape[1:])
    return total, Maps(shape, maps.field)


def _weighted_sum(arguments: Mapping[str, Any], given: Sequence[Maps]) -> Counted:
    total, maps = _sum(arguments, given)
    return total + Count(len(arguments["branches"]), 0), maps


def _cross_stage(arguments: Mapping[str, Any], given: Sequence[Maps]) -> Counted:
    (channels, *sides), field = given[0]
    around = arguments["around"]
    total, maps = _row(arguments, [Maps((channels - around, *sides), field)])
    return total, _concatenated([Maps((around, *sides), field), maps])


def _concatenated(maps: Sequence[Maps]) -> Maps:
    shapes = [each.shape for each in maps]
    sides = {shape[1:] for shape in shapes}
    assert len(sides) == 1, f"maps of shapes {shapes} cannot be concatenated"
    return Maps(
        (sum(shape[0] for shape in shapes), *sides.pop()), joined(each.field for each in maps)
    )


# Modules whose layers are counted by themselves, so that a layer met before costs nothing.
CONTAINERS: Mapping[str, Callable[[Mapping[str, Any], Sequence[Maps]], Counted]] = {
    "Cell": _cell,
    "Node": _node,
    "Dropped": _dropped,
    "Row": _row,
    "Concat": _concat,
    "Sum": _sum,
    "WeightedSum": _weighted_sum,
    "CrossStage": _cross_stage,
}


@lru_cache(maxsize=1 << 16)
def _leaf(layer: Layer, given: tuple[Shape, ...]) -> Counted:
    """Runs one layer on the meta device."""
    with torch.device("meta"):
        module = build_layer(layer)
    parameters = sum(p.numel() for p in module.parameters())
    traced = trace(module, *((1, *shape) for shape in given), device="meta")
    (output,), (field,) = traced.outputs, seen(traced)
    return Count(parameters, traced.macs), Maps(tuple(output.shape[1:]), field)
