"""Whether an ONNX model gives the numbers of the network that it was made of."""

import copy
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

TOLERANCE = 1e-4  # largest difference allowed between the forms of one network


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
    found = np.asarray(session.run(None, {INPUT_NAME: images.numpy()})[0])
    difference = largest_difference(_outputs(network, images), torch.from_numpy(found))
    if difference <= TOLERANCE:
        return Agreement(difference)
    network, images = copy.deepcopy(network).double(), images.double()
    exact = torch.from_numpy(outputs_with_64_bits(model, images.numpy()))
    return Agreement(largest_difference(_outputs(network, images), exact), difference)


def largest_difference(reference: torch.Tensor, other: torch.Tensor) -> float:
    """Largest absolute difference, relative to the largest reference where that is above 1."""
    scale = max(1.0, float(reference.abs().max()))
    return float((reference - other).abs().max()) / scale


def outputs_with_64_bits(model: bytes, images: NDArray[np.float64]) -> NDArray[np.float64]:
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
        return np.asarray(ReferenceEvaluator(graph).run(None, {INPUT_NAME: images})[0])


@torch.no_grad()
def _outputs(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    outputs: torch.Tensor = network.eval()(images)
    return outputs
