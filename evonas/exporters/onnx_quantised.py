"""Fake quantisation as whole numbers: what ONNX Runtime computes in 8 bits.

A tensor that was quantised is whole numbers behind a `QuantizeLinear`, and whoever reads it does so
through a `DequantizeLinear`; weights and biases are whole numbers in the file.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from evonas.exporters.onnx_writer import Codes, Graph, NotExpressible
from evonas.models.trace import Arguments, Step

PER_TENSOR = "fake_quantize_per_tensor_affine_cachemask"
PER_CHANNEL = "fake_quantize_per_channel_affine_cachemask"
LARGEST = 255  # whole number of 8 bits
MAPS = [2, 3]  # axes of height and width


def are_fake_codes(step: Step) -> bool:
    """Whether a constant is made of whole numbers, one step a channel."""
    return step.operation == PER_CHANNEL and step.place == 0


def fix_codes(graph: Graph, step: Step) -> None:
    """Notes weights that become whole numbers of the model."""
    given = step.arguments
    steps, name = given["scale"].numpy(), f"codes_{len(graph.constants)}"
    if given["axis"] != 0 or given["zero_point"].any():
        raise NotExpressible("weights that are not symmetric along their outputs")
    values = step.result.numpy() / _along_outputs(steps, step.result)
    graph.constants[name] = np.rint(values).astype(np.int8)
    # Of linear layers ONNX Runtime's kernel wants to read that zero is 0.
    zeros = np.zeros(len(steps), np.int8) if step.result.ndim == 2 else None
    graph.codes[graph.fix(step)] = Codes(name, steps, zeros)


def _along_outputs(steps: NDArray[Any], weights: torch.Tensor) -> NDArray[Any]:
    return steps.reshape(-1, *[1] * (weights.ndim - 1))


def fake_quantised(graph: Graph, given: Arguments, output: str) -> None:
    """To whole numbers and back."""
    if (given["quant_min"], given["quant_max"]) != (0, LARGEST):
        raise NotExpressible("whole numbers of other than 8 bits")
    step, zero = np.float32(given["scale"]), np.uint8(given["zero_point"])
    parts = [graph.constant(step), graph.constant(zero, np.uint8)]
    whole = graph.node("QuantizeLinear", [graph.name(given["self"]), *parts], f"{output}_codes")
    _decode(graph, Codes(whole, np.asarray(step), np.asarray(zero)), output)


def _decode(graph: Graph, codes: Codes, output: str) -> None:
    graph.codes[output] = codes
    graph.decoded(codes, output)


def bias_name(graph: Graph, maps: str, weights: str, bias: torch.Tensor) -> str:
    """The name of a layer's bias: whole numbers of 32 bits if maps and weights have 8.

    Their step is the product of both steps, so that kernels add them to what they have summed up.

    Args:
        maps, weights: Names of what the layer reads.
    """
    values = graph.fixed(bias)
    if maps not in graph.codes or weights not in graph.codes or values is None:
        return graph.name(bias)
    steps = (graph.codes[maps].step * graph.codes[weights].step).astype(np.float32)
    name = f"codes_{len(graph.constants)}"
    graph.constants[name] = np.rint(values / steps).astype(np.int32)
    return graph.decoded(Codes(name, steps), f"bias_{len(graph.nodes)}")


def quotient_of_codes(graph: Graph, given: Arguments, output: str) -> bool:
    """Whole numbers divided by a number are the same ones with a smaller step; False: not these."""
    divisor = given["other"]
    codes = _codes_of(graph, given["self"])
    if codes is None or isinstance(divisor, torch.Tensor):
        return False
    step = np.asarray(codes.step / np.float32(divisor))
    _decode(graph, Codes(codes.name, step, codes.zero), output)
    return True


def _codes_of(graph: Graph, tensor: Any) -> Codes | None:
    return graph.codes.get(graph.name(tensor)) if isinstance(tensor, torch.Tensor) else None


def sum_of_codes(graph: Graph, given: Arguments, output: str) -> bool:
    """A positive number that is added to whole numbers is a whole number too; False: not these."""
    number = given["other"]
    if _codes_of(graph, given["self"]) is None or isinstance(number, torch.Tensor) or number <= 0:
        return False
    whole = graph.constant(LARGEST, np.uint8)
    codes = Codes(whole, np.asarray(number / LARGEST, np.float32), np.asarray(0, np.uint8))
    number = graph.decoded(codes, f"{output}_number")
    graph.node("Add", [graph.name(given["self"]), number], output)
    return True


def means_of_codes(graph: Graph, given: Arguments, output: str) -> bool:
    """Means of whole maps, by an operation that has a kernel for 8 bits; False: not these."""
    maps = given["self"]
    is_whole = maps.ndim == 4 and [axis % maps.ndim for axis in given["dim"] or ()] == MAPS
    if not is_whole or _codes_of(graph, maps) is None:
        return False
    means = output if given["keepdim"] else f"{output}_means"
    graph.node("GlobalAveragePool", [graph.name(maps)], means)
    if not given["keepdim"]:
        graph.node("Reshape", [means, graph.constant([0, -1], np.int64)], output)
    return True
