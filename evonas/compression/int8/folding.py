"""Batch norms become part of the convolution or linear layer before them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import nn

from evonas.compression.int8.traced_graph import Graph, Operation, Value

NORMS = ("native_batch_norm", "_native_batch_norm_legit_no_training")
# What layers read, their weights and their biases are called among the arguments.
LAYERS = {"convolution": ("input", "weight", "bias"), "addmm": ("mat1", "mat2", "self")}


@dataclass(frozen=True)
class Layer:
    """A convolution or linear layer of a graph.

    `weight` is (outputs, ...); a linear layer reads it transposed.
    """

    operation: Operation
    given: Value
    weight: Value
    bias: Value | None

    def reading(self, weight: Value, bias: Value | None, fresh: Iterator[Value]) -> list[Operation]:
        """The layer with another weight and bias, and what comes before it for that."""
        _, weight_name, bias_name = LAYERS[self.operation.kind]
        before = []
        if self.operation.kind == "addmm":
            turned = next(fresh)
            before.append(Operation("t", torch.ops.aten.t.default, {"self": weight}, turned))
            weight = turned
        arguments = {**self.operation.arguments, weight_name: weight, bias_name: bias}
        return [*before, replace(self.operation, arguments=arguments)]


def layers(graph: Graph) -> dict[Value, Layer]:
    """The layers whose weights are weights of the graph, by their results."""
    makers, found = graph.makers, dict[Value, Layer]()
    for operation in graph.operations:
        if operation.kind not in LAYERS or operation.arguments.get("transposed"):
            continue
        given, weight, bias = (operation.arguments[name] for name in LAYERS[operation.kind])
        if weight in makers and makers[weight].kind == "t":
            weight = makers[weight].arguments["self"]
        if all(value is None or value in graph.weights for value in (weight, bias)):
            found[operation.result] = Layer(operation, given, weight, bias)
    return found


def folded(graph: Graph) -> Graph:
    """The same function without norms that alone read what a layer gives.

    With a = gamma / sqrt(variance + eps): weights become a w, the bias a (b - mean) + beta
    (arXiv 1712.05877, section 3.2).
    """
    found, fresh = layers(graph), graph.fresh()
    norms = {norm.arguments["input"]: norm for norm in graph.operations if norm.kind in NORMS}
    alone = {value for value, readers in graph.readers.items() if len(readers) == 1}
    alone -= {*graph.outputs.values()}
    folds = {value: norms[value] for value in found.keys() & norms.keys() & alone}
    operations, weights = list[Operation](), {**graph.weights}
    for operation in graph.operations:
        if operation in folds.values():
            continue
        if operation.result not in folds:
            operations.append(operation)
            continue
        norm, layer = folds[operation.result], found[operation.result]
        weight, bias = next(fresh), next(fresh)  # another layer may share the old ones
        weights[weight], weights[bias] = _folded(graph, layer, norm)
        *before, made = layer.reading(weight, bias, fresh)
        operations += [*before, replace(made, result=norm.result)]
    return graph.with_operations(operations, weights)


def _folded(graph: Graph, layer: Layer, norm: Operation) -> tuple[nn.Parameter, nn.Parameter]:
    """Weight and bias with the norm in them."""
    weight = graph.weights[layer.weight].detach()
    if weight.is_meta:  # nothing to compute, which takes long there
        return nn.Parameter(weight), nn.Parameter(weight.new_empty(len(weight)))
    mean, variance, gamma, beta = (
        graph.weights.get(norm.arguments[name])
        for name in ("running_mean", "running_var", "weight", "bias")
    )
    assert mean is not None, "a norm in evaluation has statistics"
    assert variance is not None, "a norm in evaluation has statistics"
    factor = torch.rsqrt(variance + norm.arguments["eps"])
    factor = factor if gamma is None else factor * gamma.detach()
    bias = -mean if layer.bias is None else graph.weights[layer.bias].detach() - mean
    bias = factor * bias if beta is None else factor * bias + beta.detach()
    return nn.Parameter(weight * factor.reshape(-1, *[1] * (weight.ndim - 1))), nn.Parameter(bias)
