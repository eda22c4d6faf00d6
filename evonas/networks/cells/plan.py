"""Networks of cells to layers, by the assembly rules of NASNet, DARTS and NAS-Bench-201."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from evonas.networks.cells.graph import IDENTITY
from evonas.networks.cells.stack import (
    DartsFits,
    Maps,
    NasnetFits,
    Stack,
    Step,
    Style,
    node,
    plan_operation,
)
from evonas.networks.grammar import classifier_plan
from evonas.networks.plan import Layer, Part, Plan, in_a_row

Parts = Sequence[Part]


def plan_cells(network: Mapping[str, Any]) -> Plan:
    """The layers of a scaled network of cells (see `networks.scaled`)."""
    style = Style(
        network["activation"], network.get("norm", "batch"), network.get("drop_path", 0.0)
    )
    parts = ASSEMBLIES[network["assembly"]](network, style)
    return classifier_plan(network, parts)


def _steps(network: Mapping[str, Any], strides: Sequence[int]) -> Iterator[Step]:
    """Stacks of normal cells; before each but the first a reduction, which doubles the filters."""
    filters = network["filters"]
    for index, repeats in enumerate(network["repeats"]):
        if index:
            filters *= 2
            yield Step("reduction", filters, strides[index - 1])
        for repeat in range(repeats):
            yield Step("normal", filters, 1, network["far_input"] and index > 0 and repeat == 0)


def _convolution(
    in_channels: int, out_channels: int, stride: int, style: Style, **more: Any
) -> Layer:
    """A 3x3 convolution of a stem: norm, and an activation only if `more` says so."""
    shape = {"in_channels": in_channels, "out_channels": out_channels, "kernel": 3}
    return Layer("ConvNormActivation", {**shape, "stride": stride, "norm": style.norm, **more})


def _head(stack: Maps, network: Mapping[str, Any], style: Style, activated: bool) -> Layer:
    arguments = {
        "in_channels": stack.channels,
        "channels": 0,
        "classes": network["classes"],
        "activation": style.activation,
        "activation_first": activated,
    }
    return Layer("ClassifierHead", arguments)


def _stacked(stem: tuple[Layer, ...], stack: Stack, head: Layer) -> Parts:
    cells = stack.parts
    return [Part("stem", stem), *cells, Part("head", (head,), (cells[-1].name,))]


def _nasnet(network: Mapping[str, Any], style: Style) -> Parts:
    """The reference code of arXiv 1707.07012, slim/nets/nasnet.

    For ImageNet a convolution without padding, then two reduction cells of a quarter and a half
    of the filters.
    """
    channels, filters, strides = network["input"][0], network["filters"], network["strides"]
    is_deep = network["stem"] == "imagenet"
    stem_channels = network["stem_channels"] or (32 if is_deep else 3 * filters)
    more = {"padding": 0} if is_deep else {}
    stem = _convolution(channels, stem_channels, strides[0], style, **more)
    parts = ((4, strides[1]), (2, strides[2])) if is_deep else ()
    early = [Step("reduction", max(1, filters // part), stride) for part, stride in parts]
    steps = [*early, *_steps(network, strides[-2:])]
    stack = Stack(network, NasnetFits(style), "stem", Maps(stem_channels, strides[0]))
    stack.add_cells(steps)
    return _stacked((stem,), stack, _head(stack.maps[-1], network, style, activated=True))


def _darts(network: Mapping[str, Any], style: Style) -> Parts:
    """The reference code of arXiv 1806.09055: for ImageNet three strided convolutions."""
    filters, strides = network["filters"], network["strides"]
    is_deep = network["stem"] == "imagenet"
    channels = network["stem_channels"] or (filters if is_deep else 3 * filters)
    half = max(1, channels // 2)
    early = [(half, strides[0], {"activation": style.activation})] if is_deep else []
    stem, given = [], Maps(network["input"][0], 1)
    for wide, stride, more in (*early, (channels, strides[len(early)], {})):
        stem.append(_convolution(given.channels, wide, stride, style, **more))
        given = Maps(wide, given.stride * stride)
    stack = Stack(network, DartsFits(style), "stem", given)
    if is_deep:
        shape = {"in_channels": channels, "out_channels": channels, "kernel": 3}
        last = Layer("ActivationConvNorm", {**shape, "stride": strides[2], **style.layer})
        stack.add(last, [0], Maps(channels, given.stride * strides[2]))
    stack.add_cells(list(_steps(network, strides[-2:])))
    return _stacked(tuple(stem), stack, _head(stack.maps[-1], network, style, activated=False))


def _nas_bench_201(network: Mapping[str, Any], style: Style) -> Parts:
    """Section 2.1 of arXiv 2001.00326: cells with one input, residual blocks between them."""
    filters, strides = network["filters"], network["strides"]
    parts = [("stem", (_convolution(network["input"][0], filters, strides[0], style),))]
    for index, repeats in enumerate(network["repeats"]):
        if index:
            shape = {"in_channels": filters, "out_channels": 2 * filters, "stride": strides[index]}
            filters *= 2
            parts.append(
                (f"reduction_{index}", (Layer("ResidualReduction", {**shape, **style.layer}),))
            )
        cell = _single_input_cell(network["normal"], filters, style)
        parts.append((f"stage_{index + 1}", (cell,) * repeats))
    norm = Layer("NormActivation", {"channels": filters, **style.layer})
    head = _head(Maps(filters, 1), network, style, activated=False)
    return in_a_row([*parts, ("norm", (norm,)), ("head", (head,))])


def _single_input_cell(graph: Mapping[str, Any], filters: int, style: Style) -> Layer:
    def operation(name: str) -> Layer:
        return plan_operation(name, filters, filters, 1, style)

    nodes = [
        node([operation(name) for name, _ in terms], [state for _, state in terms], combine)
        for terms, combine in ((each["terms"], each["combine"]) for each in graph["nodes"])
    ]
    given = operation(IDENTITY)
    return Layer("Cell", {"inputs": [given], "nodes": nodes, "outputs": list(graph["outputs"])})


ASSEMBLIES: Mapping[str, Callable[[Mapping[str, Any], Style], Parts]] = {
    "nasnet": _nasnet,
    "darts": _darts,
    "nas_bench_201": _nas_bench_201,
}
