"""What an ONNX graph is made of while it is written: nodes, constants, names, whole numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import nn

from evonas.models.trace import Step, Trace

INPUT_NAME = "images"
OUTPUT_NAME = "logits"
OPSET = 18
IR_VERSION = 10  # of ONNX files, which newer ONNX Runtimes read as well
FLOAT = onnx.TensorProto.FLOAT


def output_names(network: nn.Module) -> Sequence[str]:
    """What the outputs are called in the ONNX form: as their parts, if there are several."""
    outputs: Sequence[str] = getattr(network, "outputs", ())
    return outputs if len(outputs) > 1 else (OUTPUT_NAME,)


class NotExpressible(Exception):
    """The network does something that is not in `CONVERSIONS`."""


@dataclass(frozen=True)
class Codes:
    """Whole numbers that a tensor is made of: it is (number - zero) times the step.

    Attributes:
        name: Of the whole numbers in the graph.
        step: A number, or one for each output channel of a weight.
        zero: Of the dtype and, if said at all, as many as there are steps; None is 0.
    """

    name: str
    step: NDArray[np.float32]
    zero: NDArray[Any] | None = None


class Graph:
    """Nodes so far, and the names of what they read and give.

    `codes`: of tensors that are whole numbers, by the names of the tensors.
    """

    def __init__(self, network: nn.Module, traced: Trace, takes_any_number: bool) -> None:
        self.takes_any_number = takes_any_number
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self.transposed: dict[int, torch.Tensor] = {}
        self.codes: dict[str, Codes] = {}
        self._decoded: set[str] = set()
        self._numbers: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        (self._given,), self._outputs = traced.given, traced.outputs
        self._names = {id(self._given): INPUT_NAME}
        self._output_names = {
            id(output): name
            for output, name in zip(traced.outputs, output_names(network), strict=True)
        }
        weights = [*network.named_parameters(), *network.named_buffers()]
        self._fixed = {id(tensor): (name, tensor) for name, tensor in weights}

    def is_of_images(self, step: Step) -> bool:
        """False of what reads only constants, and is a constant itself."""
        return any(id(tensor) in self._names for tensor in step.reads)

    def begin(self, step: Step) -> str:
        """The name that the result of a step is to have."""
        name = self._output_names.get(id(step.result), f"v{len(self.nodes)}")
        self._names[id(step.result)] = name
        return name

    def fix(self, step: Step) -> str:
        """Notes a constant that becomes part of the model if it is read; gives its name."""
        if step.operation == "t":
            self.transposed[id(step.result)] = step.arguments["self"]
        name = f"c{len(self._fixed)}"
        self._fixed[id(step.result)] = (name, step.result)
        return name

    def name(self, tensor: torch.Tensor) -> str:
        """Of a result, or of a constant, which becomes part of the model."""
        if id(tensor) in self._names:
            return self._names[id(tensor)]
        if id(tensor) not in self._fixed:
            raise NotExpressible("a tensor is neither a weight nor a result")
        name, value = self._fixed[id(tensor)]
        if name not in self.codes:
            self.constants[name] = value.detach().numpy()
        elif name not in self._decoded:
            self._decoded.add(self.decoded(self.codes[name], name))
        return name

    def fixed(self, tensor: torch.Tensor) -> NDArray[Any] | None:
        """The values of a constant; None of all else."""
        found = self._fixed.get(id(tensor))
        return None if found is None else found[1].detach().numpy()

    def decoded(self, codes: Codes, output: str) -> str:
        """The name of the tensor that whole numbers make up."""
        parts = [self.constant(codes.step)]
        if codes.zero is not None:
            parts.append(self.constant(codes.zero, codes.zero.dtype.type))
        axis = {"axis": 0} if codes.step.ndim else {}
        return self.node("DequantizeLinear", [codes.name, *parts], output, **axis)

    def constant(self, values: Any, dtype: type = np.float32) -> str:
        """The name of plain numbers as a part of the model; the same one for equal numbers."""
        numbers: NDArray[Any] = np.asarray(values, dtype)
        key = (numbers.dtype.str, numbers.shape, numbers.tobytes())
        if key not in self._numbers:
            self._numbers[key] = f"k{len(self.constants)}"
            self.constants[self._numbers[key]] = numbers
        return self._numbers[key]

    def operand(self, value: Any) -> str:
        """The name of a tensor or of a number."""
        return self.name(value) if isinstance(value, torch.Tensor) else self.constant(value)

    def node(self, kind: str, reads: Sequence[str], output: str, **attributes: Any) -> str:
        """Appends a node; gives the name of its output."""
        self.nodes.append(helper.make_node(kind, reads, [output], **attributes))
        return output

    def serialised(self) -> bytes:
        """The whole model."""
        for output in self._outputs:
            if id(output) in self._fixed:  # where points are, of a detector
                fixed = self.name(output)
                self._names[id(output)] = self.node("Identity", [fixed], self._named(output))
        if any(self._names.get(key) != name for key, name in self._output_names.items()):
            raise NotExpressible("an output is no result of an operation")
        given, *outputs = (
            helper.make_tensor_value_info(name, FLOAT, [self._images(tensor), *tensor.shape[1:]])
            for name, tensor in [
                (INPUT_NAME, self._given),
                *((self._named(output), output) for output in self._outputs),
            ]
        )
        numbers = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, "network", [given], outputs, numbers)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        return bytes(model.SerializeToString())

    def shape(self, given: torch.Tensor, lengths: Sequence[int]) -> str:
        """The name of a shape that a tensor is brought into; its images stay as many."""
        if len(given) != lengths[0]:
            if self.takes_any_number:
                raise NotExpressible("a change of shape that does not leave the images alone")
            return self.constant(lengths, np.int64)
        return self.constant([0, *lengths[1:]], np.int64)  # 0: as before

    def _named(self, output: torch.Tensor) -> str:
        return self._output_names[id(output)]

    def _images(self, tensor: torch.Tensor) -> int | str:
        is_open = self.takes_any_number and id(tensor) not in self._fixed
        return "batch" if is_open else len(tensor)
