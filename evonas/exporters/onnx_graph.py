"""A network as an ONNX graph, written node by node from its trace: milliseconds, not tenths of one.

What `CONVERSIONS` lacks is left to torch's own exporter (`exporters.onnx`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import nn

from evonas.models.trace import Arguments, Step, Trace, trace

INPUT_NAME = "images"
OUTPUT_NAME = "logits"
OPSET = 18
IR_VERSION = 10  # of ONNX files, which newer ONNX Runtimes read as well
FLOAT = onnx.TensorProto.FLOAT
# Images of a trace that stands for any number: few, as some operations are run, and a length that
# is hardly ever one of channels.
STAND_IN = 5


def output_names(network: nn.Module) -> Sequence[str]:
    """What the outputs are called in the ONNX form: as their parts, if there are several."""
    outputs: Sequence[str] = getattr(network, "outputs", ())
    return outputs if len(outputs) > 1 else (OUTPUT_NAME,)


class NotExpressible(Exception):
    """The network does something that is not in `CONVERSIONS`."""


def onnx_graph(network: nn.Module, input_shape: tuple[int, int, int], batch: int | None) -> bytes:
    """A serialised ONNX model for a fixed number of images, or for any number (None).

    Raises:
        NotExpressible: Torch's exporter has to do it.
    """
    traced = trace(network, (batch or STAND_IN, *input_shape))
    graph = _Graph(network, traced, takes_any_number=batch is None)
    for step in traced.steps:
        graph.add(step)
    return graph.serialised()


class _Graph:
    """Nodes so far, and the names of what they read and give."""

    def __init__(self, network: nn.Module, traced: Trace, takes_any_number: bool) -> None:
        self.takes_any_number = takes_any_number
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self.transposed: dict[int, torch.Tensor] = {}
        (self._given,), self._outputs = traced.given, traced.outputs
        self._names = {id(self._given): INPUT_NAME}
        self._output_names = {
            id(output): name
            for output, name in zip(traced.outputs, output_names(network), strict=True)
        }
        weights = [*network.named_parameters(), *network.named_buffers()]
        self._fixed = {id(tensor): (name, tensor) for name, tensor in weights}

    def add(self, step: Step) -> None:
        """Appends what a step does; what reads only constants is a constant itself."""
        if not any(id(tensor) in self._names for tensor in step.reads):
            self._add_constant(step)
            return
        conversion = CONVERSIONS.get(step.operation)
        if conversion is None:
            raise NotExpressible(f"there is no conversion of {step.operation}")
        outer = self._output_names.get(id(step.result), f"v{len(self.nodes)}")
        conversion(self, step.arguments, outer)
        self._names[id(step.result)] = outer

    def name(self, tensor: torch.Tensor) -> str:
        """Of a result, or of a constant, which becomes part of the model."""
        if id(tensor) in self._names:
            return self._names[id(tensor)]
        if id(tensor) not in self._fixed:
            raise NotExpressible("a tensor is neither a weight nor a result")
        name, value = self._fixed[id(tensor)]
        self.constants[name] = value.detach().numpy()
        return name

    def constant(self, values: Any, dtype: type = np.float32) -> str:
        """The name of plain numbers as a part of the model."""
        name = f"k{len(self.constants)}"
        self.constants[name] = np.asarray(values, dtype)
        return name

    def operand(self, value: Any) -> str:
        """The name of a tensor or of a number."""
        return self.name(value) if isinstance(value, torch.Tensor) else self.constant(value)

    def node(self, kind: str, reads: Sequence[str], output: str, **attributes: Any) -> str:
        """Appends a node; gives the name of its output."""
        self.nodes.append(helper.make_node(kind, reads, [output], **attributes))
        return output

    def serialised(self) -> bytes:
        """The whole model."""
        if any(self._names.get(key) != name for key, name in self._output_names.items()):
            raise NotExpressible("an output is no result of an operation")
        given, *outputs = (
            helper.make_tensor_value_info(name, FLOAT, [self._images(tensor), *tensor.shape[1:]])
            for name, tensor in [
                (INPUT_NAME, self._given),
                *((self._output_names[id(output)], output) for output in self._outputs),
            ]
        )
        fixed = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, "network", [given], outputs, fixed)
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

    def _images(self, tensor: torch.Tensor) -> int | str:
        return "batch" if self.takes_any_number else len(tensor)

    def _add_constant(self, step: Step) -> None:
        if step.operation == "t":
            self.transposed[id(step.result)] = step.arguments["self"]
        self._fixed[id(step.result)] = (f"c{len(self._fixed)}", step.result)


Conversion = Callable[[_Graph, Arguments, str], Any]


def _simple(kind: str, **renamed: str) -> Conversion:
    """A node of one input whose attributes are arguments under other names."""

    def convert(graph: _Graph, given: Arguments, output: str) -> None:
        attributes = {name: given[argument] for name, argument in renamed.items()}
        graph.node(kind, [graph.name(given["self"])], output, **attributes)

    return convert


def _binary(kind: str) -> Conversion:
    def convert(graph: _Graph, given: Arguments, output: str) -> None:
        if given.get("alpha", 1) != 1 or given.get("rounding_mode"):
            raise NotExpressible(f"{kind} with a factor or a rounding")
        graph.node(kind, [graph.operand(given["self"]), graph.operand(given["other"])], output)

    return convert


def _convolution(graph: _Graph, given: Arguments, output: str) -> None:
    if given["transposed"]:
        raise NotExpressible("a transposed convolution")
    reads = [
        graph.name(given[key]) for key in ("input", "weight", "bias") if given[key] is not None
    ]
    graph.node(
        "Conv",
        reads,
        output,
        kernel_shape=list(given["weight"].shape[2:]),
        strides=given["stride"],
        pads=[*given["padding"], *given["padding"]],
        dilations=given["dilation"],
        group=given["groups"],
    )


def _batch_norm(graph: _Graph, given: Arguments, output: str) -> None:
    keys = ("input", "weight", "bias", "running_mean", "running_var")
    if any(given[key] is None for key in keys):
        raise NotExpressible("a batch norm without weights or statistics")
    graph.node(
        "BatchNormalization", [graph.name(given[key]) for key in keys], output, epsilon=given["eps"]
    )


def _group_norm(graph: _Graph, given: Arguments, output: str) -> None:
    """In groups as instances, as torch's exporter writes it; then each channel's weights."""
    if given["weight"] is None:
        raise NotExpressible("a group norm without weights")
    groups = given["group"]
    ones, zeros = graph.constant(np.ones(groups)), graph.constant(np.zeros(groups))
    split = graph.constant([0, groups, -1], np.int64)
    maps = graph.node("Reshape", [graph.name(given["input"]), split], f"{output}_split")
    maps = graph.node(
        "InstanceNormalization", [maps, ones, zeros], f"{output}_normed", epsilon=given["eps"]
    )
    whole = graph.shape(given["input"], given["input"].shape)
    maps = graph.node("Reshape", [maps, whole], f"{output}_whole")
    for kind, key in (("Mul", "weight"), ("Add", "bias")):
        weights = graph.constant(given[key].detach().numpy()[:, None, None])
        maps = graph.node(kind, [maps, weights], output if key == "bias" else f"{output}_scaled")


def _power(graph: _Graph, given: Arguments, output: str) -> None:
    reads = [graph.operand(given["self"]), graph.operand(given["exponent"])]
    graph.node("Pow", reads, output)


def _clip(graph: _Graph, given: Arguments, output: str) -> None:
    limits = [graph.constant(given[key]) for key in ("min_val", "max_val")]
    graph.node("Clip", [graph.name(given["self"]), *limits], output)


def _elu(graph: _Graph, given: Arguments, output: str) -> None:
    if given["input_scale"] != 1:
        raise NotExpressible("an ELU of scaled inputs")
    name, alpha = graph.name(given["self"]), float(given["alpha"])
    if given["scale"] == 1:
        graph.node("Elu", [name], output, alpha=alpha)
    else:
        graph.node("Selu", [name], output, alpha=alpha, gamma=float(given["scale"]))


def _silu(graph: _Graph, given: Arguments, output: str) -> None:
    name = graph.name(given["self"])
    graph.node("Mul", [name, graph.node("Sigmoid", [name], f"{output}_gate")], output)


def _mish(graph: _Graph, given: Arguments, output: str) -> None:
    name = graph.name(given["self"])
    soft = graph.node("Softplus", [name], f"{output}_soft")
    graph.node("Mul", [name, graph.node("Tanh", [soft], f"{output}_gate")], output)


def _prelu(graph: _Graph, given: Arguments, output: str) -> None:
    graph.node("PRelu", [graph.name(given["self"]), graph.name(given["weight"])], output)


def _hard_sigmoid(graph: _Graph, given: Arguments, output: str) -> None:
    graph.node("HardSigmoid", [graph.name(given["self"])], output, alpha=1 / 6, beta=0.5)


def _reduced(kind: str) -> Conversion:
    def convert(graph: _Graph, given: Arguments, output: str) -> None:
        reads = [graph.name(given["self"]), graph.constant(given["dim"], np.int64)]
        graph.node(kind, reads, output, keepdims=int(given["keepdim"]))

    return convert


def _pool(kind: str, **more: str) -> Conversion:
    def convert(graph: _Graph, given: Arguments, output: str) -> None:
        if given.get("divisor_override") or any(d != 1 for d in given.get("dilation", ())):
            raise NotExpressible(f"{kind} with a divisor or a dilation")
        sides = {key: _pair(given[key]) for key in ("kernel_size", "padding")}
        graph.node(
            kind,
            [graph.name(given["self"])],
            output,
            kernel_shape=sides["kernel_size"],
            strides=_pair(given["stride"]) or sides["kernel_size"],
            pads=sides["padding"] * 2,
            ceil_mode=int(given["ceil_mode"]),
            **{name: int(given[argument]) for name, argument in more.items()},
        )

    return convert


def _pair(sides: Sequence[int]) -> list[int]:
    return list(sides) * 2 if len(sides) == 1 else list(sides)


def _pad(mode: str) -> Conversion:
    def convert(graph: _Graph, given: Arguments, output: str) -> None:
        # Torch names the last axis first; ONNX all that begins, then all that ends.
        axes = given["self"].ndim
        pairs = [(0, 0)] * axes
        sides = given["pad"] if "pad" in given else given["padding"]
        for place in range(len(sides) // 2):
            pairs[axes - 1 - place] = (sides[2 * place], sides[2 * place + 1])
        ends = graph.constant([p[0] for p in pairs] + [p[1] for p in pairs], np.int64)
        value = [graph.constant(given["value"])] if mode == "constant" else []
        graph.node("Pad", [graph.name(given["self"]), ends, *value], output, mode=mode)

    return convert


def _slice(graph: _Graph, given: Arguments, output: str) -> None:
    # Not set: from the start, to an end beyond any.
    start, end = given["start"] or 0, given["end"]
    limits = (start, 2**63 - 1 if end is None else end, given["dim"], given["step"])
    graph.node(
        "Slice",
        [graph.name(given["self"]), *(graph.constant([limit], np.int64) for limit in limits)],
        output,
    )


def _repeat(graph: _Graph, given: Arguments, output: str) -> None:
    if len(given["repeats"]) != given["self"].ndim:
        raise NotExpressible("a repeat that adds axes")
    graph.node(
        "Tile", [graph.name(given["self"]), graph.constant(given["repeats"], np.int64)], output
    )


def _cat(graph: _Graph, given: Arguments, output: str) -> None:
    graph.node("Concat", [graph.name(each) for each in given["tensors"]], output, axis=given["dim"])


def _reshape(graph: _Graph, given: Arguments, output: str) -> None:
    shape = graph.shape(given["self"], given["size"])
    graph.node("Reshape", [graph.name(given["self"]), shape], output)


def _transpose(graph: _Graph, given: Arguments, output: str) -> None:
    axes = list(range(given["self"].ndim))
    first, second = given["dim0"], given["dim1"]
    axes[first], axes[second] = axes[second], axes[first]
    graph.node("Transpose", [graph.name(given["self"])], output, perm=axes)


def _upsample(graph: _Graph, given: Arguments, output: str) -> None:
    sides = zip(given["output_size"], given["self"].shape[2:], strict=True)
    scales = [1.0, 1.0, *(made / held for made, held in sides)]
    graph.node(
        "Resize",
        [graph.name(given["self"]), "", graph.constant(scales)],
        output,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def _softplus(graph: _Graph, given: Arguments, output: str) -> None:
    if given["beta"] != 1:
        raise NotExpressible("a softplus with a factor")
    graph.node("Softplus", [graph.name(given["self"])], output)


def _linear(graph: _Graph, given: Arguments, output: str) -> None:
    if (given["alpha"], given["beta"]) != (1, 1):
        raise NotExpressible("a linear layer with factors")
    weights = graph.transposed.get(id(given["mat2"]))  # spares a copy
    reads = [given["mat1"], given["mat2"] if weights is None else weights, given["self"]]
    is_transposed = int(weights is not None)
    graph.node("Gemm", [graph.name(each) for each in reads], output, transB=is_transposed)


CONVERSIONS: Mapping[str, Conversion] = {
    "convolution": _convolution,
    "native_batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "native_group_norm": _group_norm,
    "relu": _simple("Relu"),
    "hardtanh": _clip,
    "leaky_relu": _simple("LeakyRelu", alpha="negative_slope"),
    "_prelu_kernel": _prelu,
    "elu": _elu,
    "mish": _mish,
    "silu": _silu,
    "hardswish": _simple("HardSwish"),
    "sigmoid": _simple("Sigmoid"),
    "hardsigmoid": _hard_sigmoid,
    "add": _binary("Add"),
    "sub": _binary("Sub"),
    "mul": _binary("Mul"),
    "div": _binary("Div"),
    "mean": _reduced("ReduceMean"),
    "sum": _reduced("ReduceSum"),
    "amax": _reduced("ReduceMax"),
    "abs": _simple("Abs"),
    "pow": _power,
    "_softmax": _simple("Softmax", axis="dim"),
    "cat": _cat,
    "view": _reshape,
    "_unsafe_view": _reshape,
    "transpose": _transpose,
    "clone": _simple("Identity"),
    "alias": _simple("Identity"),
    "constant_pad_nd": _pad("constant"),
    "replication_pad2d": _pad("edge"),
    "slice": _slice,
    "repeat": _repeat,
    "max_pool2d_with_indices": _pool("MaxPool"),
    "avg_pool2d": _pool("AveragePool", count_include_pad="count_include_pad"),
    "addmm": _linear,
    "upsample_nearest2d": _upsample,
    "softplus": _softplus,
}
