"""A network as an ONNX graph, written node by node from its trace: milliseconds, not tenths of one.

What `CONVERSIONS` lacks is left to torch's own exporter (`exporters.onnx`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from evonas.exporters.onnx_quantised import (
    PER_TENSOR,
    are_fake_codes,
    bias_name,
    fake_quantised,
    fix_codes,
    means_of_codes,
    quotient_of_codes,
    sum_of_codes,
)
from evonas.exporters.onnx_writer import (
    FLOAT,
    INPUT_NAME,
    OPSET,
    OUTPUT_NAME,
    Graph,
    NotExpressible,
    output_names,
)
from evonas.models.trace import Arguments, Step, trace

__all__ = [
    "CONVERSIONS",
    "FLOAT",
    "INPUT_NAME",
    "OPSET",
    "OUTPUT_NAME",
    "NotExpressible",
    "onnx_graph",
    "output_names",
]

# Images of a trace that stands for any number: few, as some operations are run, and a length that
# is hardly ever one of channels.
STAND_IN = 5


def onnx_graph(network: nn.Module, input_shape: tuple[int, int, int], batch: int | None) -> bytes:
    """A serialised ONNX model for a fixed number of images, or for any number (None).

    Raises:
        NotExpressible: Torch's exporter has to do it.
    """
    traced = trace(network, (batch or STAND_IN, *input_shape))
    graph = Graph(network, traced, takes_any_number=batch is None)
    for step in traced.steps:
        if graph.is_of_images(step):
            _convert(graph, step)
        elif are_fake_codes(step):
            fix_codes(graph, step)
        else:
            graph.fix(step)
    return graph.serialised()


def _convert(graph: Graph, step: Step) -> None:
    conversion = CONVERSIONS.get(step.operation)
    if conversion is None:
        raise NotExpressible(f"there is no conversion of {step.operation}")
    conversion(graph, step.arguments, graph.begin(step))


Conversion = Callable[[Graph, Arguments, str], Any]


def _simple(kind: str, **renamed: str) -> Conversion:
    """A node of one input whose attributes are arguments under other names."""

    def convert(graph: Graph, given: Arguments, output: str) -> None:
        attributes = {name: given[argument] for name, argument in renamed.items()}
        graph.node(kind, [graph.name(given["self"])], output, **attributes)

    return convert


def _either(first: Callable[[Graph, Arguments, str], bool], otherwise: Conversion) -> Conversion:
    """By what does it for whole numbers, if that is what they are."""

    def convert(graph: Graph, given: Arguments, output: str) -> None:
        if not first(graph, given, output):
            otherwise(graph, given, output)

    return convert


def _binary(kind: str) -> Conversion:
    def convert(graph: Graph, given: Arguments, output: str) -> None:
        if given.get("alpha", 1) != 1 or given.get("rounding_mode"):
            raise NotExpressible(f"{kind} with a factor or a rounding")
        graph.node(kind, [graph.operand(given["self"]), graph.operand(given["other"])], output)

    return convert


def _convolution(graph: Graph, given: Arguments, output: str) -> None:
    if given["transposed"]:
        raise NotExpressible("a transposed convolution")
    maps, weight = (graph.name(given[key]) for key in ("input", "weight"))
    bias = [] if given["bias"] is None else [bias_name(graph, maps, weight, given["bias"])]
    graph.node(
        "Conv",
        [maps, weight, *bias],
        output,
        kernel_shape=list(given["weight"].shape[2:]),
        strides=given["stride"],
        pads=[*given["padding"], *given["padding"]],
        dilations=given["dilation"],
        group=given["groups"],
    )


def _batch_norm(graph: Graph, given: Arguments, output: str) -> None:
    keys = ("input", "weight", "bias", "running_mean", "running_var")
    if any(given[key] is None for key in keys):
        raise NotExpressible("a batch norm without weights or statistics")
    graph.node(
        "BatchNormalization", [graph.name(given[key]) for key in keys], output, epsilon=given["eps"]
    )


def _group_norm(graph: Graph, given: Arguments, output: str) -> None:
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


def _power(graph: Graph, given: Arguments, output: str) -> None:
    reads = [graph.operand(given["self"]), graph.operand(given["exponent"])]
    graph.node("Pow", reads, output)


def _clip(low: str, high: str) -> Conversion:
    """Between two arguments, of which either may not be set."""

    def convert(graph: Graph, given: Arguments, output: str) -> None:
        limits = ["" if given[key] is None else graph.constant(given[key]) for key in (low, high)]
        graph.node("Clip", [graph.name(given["self"]), *limits], output)

    return convert


def _elu(graph: Graph, given: Arguments, output: str) -> None:
    if given["input_scale"] != 1:
        raise NotExpressible("an ELU of scaled inputs")
    name, alpha = graph.name(given["self"]), float(given["alpha"])
    if given["scale"] == 1:
        graph.node("Elu", [name], output, alpha=alpha)
    else:
        graph.node("Selu", [name], output, alpha=alpha, gamma=float(given["scale"]))


def _silu(graph: Graph, given: Arguments, output: str) -> None:
    name = graph.name(given["self"])
    graph.node("Mul", [name, graph.node("Sigmoid", [name], f"{output}_gate")], output)


def _mish(graph: Graph, given: Arguments, output: str) -> None:
    name = graph.name(given["self"])
    soft = graph.node("Softplus", [name], f"{output}_soft")
    graph.node("Mul", [name, graph.node("Tanh", [soft], f"{output}_gate")], output)


def _prelu(graph: Graph, given: Arguments, output: str) -> None:
    graph.node("PRelu", [graph.name(given["self"]), graph.name(given["weight"])], output)


def _hard_sigmoid(graph: Graph, given: Arguments, output: str) -> None:
    graph.node("HardSigmoid", [graph.name(given["self"])], output, alpha=1 / 6, beta=0.5)


def _reduced(kind: str) -> Conversion:
    def convert(graph: Graph, given: Arguments, output: str) -> None:
        reads = [graph.name(given["self"]), graph.constant(given["dim"], np.int64)]
        graph.node(kind, reads, output, keepdims=int(given["keepdim"]))

    return convert


def _pool(kind: str, **more: str) -> Conversion:
    def convert(graph: Graph, given: Arguments, output: str) -> None:
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
    def convert(graph: Graph, given: Arguments, output: str) -> None:
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


def _slice(graph: Graph, given: Arguments, output: str) -> None:
    # Not set: from the start, to an end beyond any.
    start, end = given["start"] or 0, given["end"]
    limits = (start, 2**63 - 1 if end is None else end, given["dim"], given["step"])
    graph.node(
        "Slice",
        [graph.name(given["self"]), *(graph.constant([limit], np.int64) for limit in limits)],
        output,
    )


def _repeat(graph: Graph, given: Arguments, output: str) -> None:
    if len(given["repeats"]) != given["self"].ndim:
        raise NotExpressible("a repeat that adds axes")
    graph.node(
        "Tile", [graph.name(given["self"]), graph.constant(given["repeats"], np.int64)], output
    )


def _cat(graph: Graph, given: Arguments, output: str) -> None:
    graph.node("Concat", [graph.name(each) for each in given["tensors"]], output, axis=given["dim"])


def _reshape(graph: Graph, given: Arguments, output: str) -> None:
    shape = graph.shape(given["self"], given["size"])
    graph.node("Reshape", [graph.name(given["self"]), shape], output)


def _transpose(graph: Graph, given: Arguments, output: str) -> None:
    axes = list(range(given["self"].ndim))
    first, second = given["dim0"], given["dim1"]
    axes[first], axes[second] = axes[second], axes[first]
    graph.node("Transpose", [graph.name(given["self"])], output, perm=axes)


def _upsample(graph: Graph, given: Arguments, output: str) -> None:
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


def _softplus(graph: Graph, given: Arguments, output: str) -> None:
    if given["beta"] != 1:
        raise NotExpressible("a softplus with a factor")
    graph.node("Softplus", [graph.name(given["self"])], output)


def _linear(graph: Graph, given: Arguments, output: str) -> None:
    if (given["alpha"], given["beta"]) != (1, 1):
        raise NotExpressible("a linear layer with factors")
    straight = graph.transposed.get(id(given["mat2"]))  # spares a copy
    maps = graph.name(given["mat1"])
    weight = graph.name(given["mat2"] if straight is None else straight)
    bias = bias_name(graph, maps, weight, given["self"])
    graph.node("Gemm", [maps, weight, bias], output, transB=int(straight is not None))


CONVERSIONS: Mapping[str, Conversion] = {
    "convolution": _convolution,
    "native_batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "native_group_norm": _group_norm,
    "relu": _simple("Relu"),
    "hardtanh": _clip("min_val", "max_val"),
    "clamp": _clip("min", "max"),
    "leaky_relu": _simple("LeakyRelu", alpha="negative_slope"),
    "_prelu_kernel": _prelu,
    "elu": _elu,
    "mish": _mish,
    "silu": _silu,
    "hardswish": _simple("HardSwish"),
    "sigmoid": _simple("Sigmoid"),
    "hardsigmoid": _hard_sigmoid,
    "add": _either(sum_of_codes, _binary("Add")),
    "sub": _binary("Sub"),
    "mul": _binary("Mul"),
    "div": _either(quotient_of_codes, _binary("Div")),
    "mean": _either(means_of_codes, _reduced("ReduceMean")),
    "sum": _reduced("ReduceSum"),
    "amax": _reduced("ReduceMax"),
    "abs": _simple("Abs"),
    "exp": _simple("Exp"),
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
    PER_TENSOR: fake_quantised,
}
