"""Whether an ONNX model gives the numbers of the network that it was made of."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import nn

from evonas.exporters.onnx_graph import INPUT_NAME

QUANTA = 255  # between the least and the largest number of 8 bits
TOLERANCE = 1e-4  # a larger difference with 32 bits may be rounding: 64 bits tell


@dataclass(frozen=True)
class Agreement:
    """How far an ONNX model and its network are apart (`largest_difference`).

    Attributes:
        difference: Of the functions. With the 32 bits of ONNX Runtime and torch, unless these are
            above `TOLERANCE`: then of both with 64 bits.
        rounding: What both differ by with 32 bits, where that is above `TOLERANCE`. An untrained
            network of 30 layers may multiply rounding by thousands, in torch as well.
    """

    difference: float
    rounding: float | None = None


def onnx_agreement(network: nn.Module, model: bytes, images: torch.Tensor) -> Agreement:
    """How far both are apart for these images, (batch, channels, height, width).

    Milliseconds; seconds at 32 px, minutes at 224 px where 64 bits are needed.
    """
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    outputs = [torch.from_numpy(each) for each in session.run(None, {INPUT_NAME: images.numpy()})]
    difference = largest_difference(outputs_of(network, images), outputs)
    if difference <= TOLERANCE:
        return Agreement(difference)
    network, images = copy.deepcopy(network).double(), images.double()
    exact = [torch.from_numpy(each) for each in outputs_with_64_bits(model, images.numpy())]
    return Agreement(largest_difference(outputs_of(network, images), exact), difference)


def largest_difference(reference: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> float:
    """Largest absolute difference of any output.

    Relative to the output's largest reference where that is above 1.
    """
    pairs = zip(reference, other, strict=True)
    return max(
        float((wanted - got).abs().max()) / max(1.0, float(wanted.abs().max()))
        for wanted, got in pairs
    )


def share_within_a_quantum(network: nn.Module, other: nn.Module, images: torch.Tensor) -> float:
    """The share of all output values in which two networks of 8 bits are a quantum apart, or less.

    A quantum is what 8 bits resolve of an output: its range over these images / 255. Kernels round
    sums of 8 bits in ways of their own, so that single values differ by one.
    """
    near = [
        (wanted - got).abs() <= (wanted.max() - wanted.min()) / QUANTA
        for wanted, got in zip(outputs_of(network, images), outputs_of(other, images), strict=True)
    ]
    return float(torch.cat([each.flatten() for each in near]).double().mean())


def outputs_with_64_bits(model: bytes, images: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """What the model gives by ONNX's own definitions of its operators.

    ONNX Runtime convolves nothing but 32 bits.
    """
    graph = onnx.load_from_string(model)
    for weight in graph.graph.initializer:
        if weight.data_type == TensorProto.FLOAT:
            exact = numpy_helper.to_array(weight).astype(np.float64)
            weight.CopyFrom(numpy_helper.from_array(exact, weight.name))
    for value in (*graph.graph.input, *graph.graph.output):
        value.type.tensor_type.elem_type = TensorProto.DOUBLE
    with np.errstate(all="ignore"):  # sigmoids of large numbers overflow on their way to 0 and 1
        outputs = ReferenceEvaluator(graph).run(None, {INPUT_NAME: images})
    return [np.asarray(output) for output in outputs]


@torch.no_grad()
def outputs_of(network: nn.Module, images: torch.Tensor) -> Sequence[torch.Tensor]:
    """What the network gives in evaluation mode, one output or several, as a sequence."""
    outputs = network.eval()(images)
    return (outputs,) if isinstance(outputs, torch.Tensor) else tuple(outputs)
