"""Parameters, multiply-adds and shapes, without memory or time for the real thing."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from evonas.models.cell import WEIGHTED, Cell, CellStack, Dropped, Node
from evonas.models.chain_layers import Concat, Row, Sum, WeightedSum
from evonas.models.cross_stage import CrossStage
from evonas.models.plan import Layer, Plan
from evonas.models.receptive_field import PIXEL, Field, Fields, behind, joined
from evonas.networks.graph import CONCAT

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
        return None if self.field is None else max(span.jump for span in self.field)


@dataclass(frozen=True)
class LayerCount:
    """A layer under the name that its weights have, what it costs and what it gives."""

    name: str
    module: type[nn.Module]
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
    """The layers in the order of the plan, each with its own count; cells one by one."""
    maps = Maps(tuple(plan.input_shape))
    for part, layers in plan.parts:
        for index, layer in enumerate(layers):
            name = part if len(layers) == 1 else f"{part}.{index}"
            for counted in _layers(name, layer, maps):
                yield counted
                maps = counted.maps


def network_macs(network: nn.Module, input_shape: tuple[int, int, int]) -> int:
    """Multiply-adds of one image of (channels, height, width) through any network."""
    return trace(copy.deepcopy(network).to("meta"), input_shape)[0]


def trace(network: nn.Module, input_shape: Shape) -> tuple[int, Maps]:
    """Multiply-adds and output of a network on the meta device, unfit for more then."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            # Shapes pass through it unchanged, and its meta kernel is by far the slowest.
            module.forward = nn.Identity().forward  # type: ignore[method-assign]
    images = torch.empty(1, *input_shape, device="meta")
    with torch.no_grad(), _Tracing(images) as tracing:
        output = network(images)
    return tracing.macs, Maps(tuple(output.shape[1:]), tracing.fields[output])


# Operations of one map that keep its shape, and are many.
UNCHANGED = (
    torch.ops.aten.relu.default,
    torch.ops.aten.silu.default,
    torch.ops.aten.hardtanh.default,
)


class _Tracing(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Looks at every operation of a forward pass of one image."""

    def __init__(self, images: torch.Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs = 0
        self.fields = Fields()
        self.fields[images] = PIXEL

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        output = _output(func, args, kwargs or {})
        self.fields.follow(func, args, output)
        operation = func.overloadpacket
        if operation is torch.ops.aten.convolution:
            weights_per_output = args[1][0].numel()
            self.macs += weights_per_output * output.numel()
        elif operation in (torch.ops.aten.addmm, torch.ops.aten.mm):
            inputs, weight = args[-2:]
            self.macs += inputs.numel() * weight.shape[1]
        return output


def _output(operation: Any, arguments: Sequence[Any], more: Mapping[str, Any]) -> Any:
    """What the operation gives. Torch takes ten times as long to say which shape maps have."""
    if operation is torch.ops.aten.convolution.default and not arguments[6]:
        maps, weight, _, stride, padding, dilation, *_ = arguments
        windows = zip(maps.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
        sides = [
            (side + 2 * pad - space * (kernel - 1) - 1) // step + 1
            for side, kernel, step, pad, space in windows
        ]
        return maps.new_empty((maps.shape[0], weight.shape[0], *sides))
    if operation in UNCHANGED:
        return torch.empty_like(arguments[0])
    return operation(*arguments, **more)


def _layers(name: str, layer: Layer, maps: Maps) -> Iterator[LayerCount]:
    if layer.module is not CellStack:
        yield LayerCount(name, layer.module, *_through(layer, [maps]))
        return
    outputs = [maps]
    pairs = zip(layer.arguments["cells"], layer.arguments["sources"], strict=True)
    for index, (cell, sources) in enumerate(pairs):
        counted, given = _through(cell, [outputs[source] for source in sources])
        outputs.append(given)
        yield LayerCount(f"{name}.cells.{index}", cell.module, counted, given)


def _through(layer: Layer, given: Sequence[Maps]) -> Counted:
    container = CONTAINERS.get(layer.module)
    if container is not None:
        return container(layer.arguments, given)
    module: Any = layer.module  # mypy takes a class for one of its instances, which has no hash
    counted, maps = _leaf(module, json.dumps(dict(layer.arguments)), given[0].shape)
    return counted, Maps(maps.shape, behind(maps.field, given[0].field))


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


# Modules whose layers are counted one by one.
CONTAINERS: Mapping[type[nn.Module], Callable[[Mapping[str, Any], Sequence[Maps]], Counted]] = {
    Cell: _cell,
    Node: _node,
    Dropped: _dropped,
    Row: _row,
    Concat: _concat,
    Sum: _sum,
    WeightedSum: _weighted_sum,
    CrossStage: _cross_stage,
}


@lru_cache(maxsize=1 << 16)
def _leaf(module: Callable[..., nn.Module], arguments: str, given: Shape) -> Counted:
    """Runs one layer on the meta device. `arguments` are JSON, which can be hashed."""
    with torch.device("meta"):
        layer = module(**json.loads(arguments))
    parameters = sum(p.numel() for p in layer.parameters())
    macs, maps = trace(layer, given)
    return Count(parameters, macs), maps
