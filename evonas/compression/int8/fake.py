"""Fake quantisation: numbers of 32 bits that are what 8 bits can say.

Gradients pass as if nothing were done, but for numbers beyond a range (straight-through estimator,
arXiv 1308.3432, section 4).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import torch
from torch.nn import functional

from evonas.compression.int8.folding import LAYERS, Layer
from evonas.compression.int8.kernel_places import GATED, Placement
from evonas.compression.int8.ranges import LEVELS, Range
from evonas.compression.int8.traced_graph import Graph, Operation, Value

BIAS_LEVELS = 2**30  # a bias of 32 bits is that many steps at most
LEAST_STEP = 1e-12
GATE = Range(1 / LEVELS, 0)  # of a sigmoid
WIDE_GATE = Range(6 / LEVELS, 0)  # of relu6(x + 3), which is six times a hard sigmoid
Unary = Callable[[torch.Tensor], torch.Tensor]


def quantised_graph(graph: Graph, ranges: Mapping[Value, Range], most: int) -> Graph:
    """The graph in which weights of layers and tensors of its `Placement` have 8 bits.

    Args:
        ranges: Of the tensors that others may share them with.
        most: The largest whole number of a weight: 127, or 63 of 7 bits.
    """
    return _Quantiser(graph, ranges, most).graph


class _Quantiser:
    def __init__(self, graph: Graph, ranges: Mapping[Value, Range], most: int) -> None:
        self.placement, self.most, self.images = Placement(graph), most, graph.images
        self.ranges = {value: ranges[of] for value, of in self.placement.sites.items()}
        self.fresh = graph.fresh()
        self.others: dict[Value, Value] = {}  # what is read in place of a tensor
        self.operations: list[Operation] = []
        self._quantise(graph.images)
        for operation in graph.operations:
            self._add(operation)
            if operation.kind != "hardsigmoid":  # which gives whole numbers
                self._quantise(operation.result)
        outputs = {name: self.others.get(value, value) for name, value in graph.outputs.items()}
        self.graph = replace(graph, outputs=outputs).with_operations(self.operations)

    def _add(self, operation: Operation) -> None:
        layer = self.placement.layers.get(operation.result)
        if operation.kind in GATED and operation.result in self.ranges:
            operation = self._gated(operation)
        others = self.others
        if layer is None and operation.kind in LAYERS:  # of 32 bits, reads images as they are
            others = {value: other for value, other in others.items() if value != self.images}
        for each in [operation] if layer is None else self._layer(layer):
            self.operations.append(each.reading(others))

    def _quantise(self, value: Value) -> None:
        if value in self.ranges:
            self.others[value] = next(self.fresh)
            fake = partial(fake_quantised, self.ranges[value])
            read = {"self": value}
            self.operations.append(Operation("fake", fake, read, self.others[value]))

    def _layer(self, layer: Layer) -> list[Operation]:
        scale, weight, bias = next(self.fresh), next(self.fresh), next(self.fresh)
        step = self.ranges[layer.given].scale
        of = {"weight": layer.weight, "bias": layer.bias}
        made = [
            Operation("scale", partial(weight_scale, self.most, step), of, scale),
            _fake(partial(fake_weights, self.most), layer.weight, scale, weight),
        ]
        if layer.bias is not None:
            made.append(_fake(partial(fake_bias, step), layer.bias, scale, bias))
        used = None if layer.bias is None else bias
        return [*made, *layer.reading(weight, used, self.fresh)]

    def _gated(self, operation: Operation) -> Operation:
        read = {"self": operation.arguments["self"]}
        return Operation(operation.kind, GATES[operation.kind], read, operation.result)


def fake_quantised(of: Range, given: torch.Tensor) -> torch.Tensor:
    """The nearest numbers of a range."""
    return torch.fake_quantize_per_tensor_affine(given, of.scale, of.zero, 0, LEVELS)


def _fake(function: Callable[..., torch.Tensor], of: Value, scale: Value, to: Value) -> Operation:
    return Operation("fake", function, {"self": of, "scale": scale}, to)


@torch.no_grad()
def weight_scale(
    most: int, step: float, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """The scale of each output's weights: they reach from -most to most.

    That of the bias, in 32 bits, is `step` times as large; a scale is large enough for both, as an
    output without weights has a bias all the same.

    Args:
        step: The scale of what the layer reads.
    """
    scale = weight.flatten(1).abs().amax(1) / most
    if bias is not None:
        scale = torch.maximum(scale, bias.abs() / (step * BIAS_LEVELS))
    return scale.clamp(min=LEAST_STEP)


def fake_weights(most: int, weight: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """The nearest whole numbers of a scale for each output, from -most to most."""
    zeros = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scale, zeros, 0, -most, most)


def fake_bias(step: float, bias: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """The same in 32 bits, of whose numbers none is beyond the range."""
    whole = (bias / (scale * step)).round() * (scale * step)
    return bias + (whole - bias).detach()


def _silu(given: torch.Tensor) -> torch.Tensor:
    return given * fake_quantised(GATE, given.sigmoid())


def _hard_sigmoid(given: torch.Tensor) -> torch.Tensor:
    return fake_quantised(WIDE_GATE, functional.relu6(given + 3)) / 6


def _hard_swish(given: torch.Tensor) -> torch.Tensor:
    return given * _hard_sigmoid(given)


# Operations without a kernel of 8 bits as several that have one.
GATES: Mapping[str, Unary] = {
    "silu": _silu,
    "hardswish": _hard_swish,
    "hardsigmoid": _hard_sigmoid,
}
