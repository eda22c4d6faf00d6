"""The builder behind LeNet, VGG and Inception: layers in a row, some of them with branches."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evonas.networks.chain import layer_words as chain
from evonas.networks.chain.layer_words import Shape
from evonas.networks.chain.section import part_name
from evonas.networks.grammar import classifier_plan
from evonas.networks.plan import Layer, Plan, in_a_row

Written = Mapping[str, Any]  # a layer of a scaled section


def plan_chain(network: Written) -> Plan:
    """The layers of a scaled network section (see `networks.scaled`)."""
    shape: Shape = tuple(network["input"])
    parts: list[tuple[str, tuple[Layer, ...]]] = []
    for index, group in enumerate(network["layers"]):
        layers, shape = plan_row(group, shape)
        parts.append((part_name(index), tuple(layers)))
    layers, shape = plan_row(network["head"], shape)
    parts.append(("head", tuple(layers)))
    return classifier_plan(network, in_a_row(parts))


def plan_row(row: Sequence[Written], shape: Shape) -> tuple[list[Layer], Shape]:
    """The layers that are written in a row, as many, and the shape behind them."""
    layers = []
    for layer in row:
        layers.append(_layer(layer, shape))
        shape = chain.shape_after(layer, shape)
    return layers, shape


def _layer(layer: Written, shape: Shape) -> Layer:
    word = chain.word_of(layer)
    if word in chain.BRANCHED:
        return _branched(layer, word, shape)
    return LAYERS[word](layer, shape)


def _branched(layer: Written, word: str, shape: Shape) -> Layer:
    branches = [Layer("Row", {"layers": plan_row(row, shape)[0]}) for row in layer[word]]
    rest = {key: value for key, value in layer.items() if key != word}
    return Layer(JOINS[word], {"branches": branches, **_unusual(rest, {"scale": 1})})


def _unusual(arguments: Written, usual: Written) -> dict[str, Any]:
    """The arguments without those that say what their class takes them for anyway."""
    return {k: v for k, v in arguments.items() if k not in usual or v != usual[k]}


def _conv(layer: Written, shape: Shape) -> Layer:
    arguments = {
        "in_channels": shape[0],
        "out_channels": layer["conv"],
        **{key: layer[key] for key in ("kernel", "stride", "groups")},
        "activation": _activation(layer),
        **{key: layer[key] for key in ("norm", "dilation", "padding", "bias")},
    }
    usual = {"stride": 1, "groups": 1, "activation": None, "norm": "batch", "dilation": 1}
    same = chain.filled({**layer, "padding": chain.SAME}, {})["padding"]
    usual |= {"bias": layer["norm"] == chain.NONE, "padding": same}
    return Layer("ConvNormActivation", _unusual(arguments, usual))


def _activation(layer: Written) -> str | None:
    return None if layer["activation"] == chain.NONE else str(layer["activation"])


def _linear(layer: Written, shape: Shape) -> Layer:
    arguments = {
        "in_features": shape[0],
        "out_features": layer["linear"],
        "activation": _activation(layer),
        "bias": layer["bias"],
    }
    return Layer("LinearActivation", _unusual(arguments, {"activation": None, "bias": True}))


def _pool(module: str, word: str) -> Callable[[Written, Shape], Layer]:
    def plan(layer: Written, shape: Shape) -> Layer:
        window = {"power": layer[word]} if "kernel" in layer else {"kernel": layer[word]}
        rest = {key: value for key, value in layer.items() if key != word}
        usual = {"padding": 0, "ceil": False, "counts_padding": True}
        return Layer(module, {**window, **_unusual(rest, usual)})

    return plan


def _own(module: str, word: str, argument: str) -> Callable[[Written, Shape], Layer]:
    """A layer whose keys are its arguments; what its word says is called `argument` there."""

    def plan(layer: Written, shape: Shape) -> Layer:
        rest = {key: value for key, value in layer.items() if key != word}
        return Layer(module, {argument: layer[word], **rest})

    return plan


# How branches come together again.
JOINS: Mapping[str, str] = {
    "concat": "Concat",
    "sum": "Sum",
    "weighted_sum": "WeightedSum",
}

# Word to a function from a filled layer and the shape it is given to the layer that is built.
LAYERS: Mapping[str, Callable[[Written, Shape], Layer]] = {
    "conv": _conv,
    "linear": _linear,
    "max_pool": _pool("MaxPool", "max_pool"),
    "avg_pool": _pool("AvgPool", "avg_pool"),
    "lp_pool": _pool("LpPool", "lp_pool"),
    "global_pool": _own("GlobalPool", "global_pool", "kind"),
    "spp": _own("PyramidFeatures", "spp", "bins"),
    "flatten": lambda layer, shape: Layer("Flatten", {}),
    "lrn": _own("LocalResponseNorm", "lrn", "size"),
    "dropout": _own("Dropout", "dropout", "probability"),
    "pyramid": _own("PoolPyramid", "pyramid", "kernels"),
    "space_to_depth": _own("SpaceToDepth", "space_to_depth", "factor"),
    "channel_group": _own("ChannelGroup", "channel_group", "group"),
    "channel_shuffle": _own("ChannelShuffle", "channel_shuffle", "groups"),
    "spatial_attention": lambda layer, shape: Layer(
        "SpatialAttention", {"channels": shape[0], "kind": layer["spatial_attention"]}
    ),
    "activation": lambda layer, shape: Layer(
        "Activation", {"channels": shape[0], "name": layer["activation"]}
    ),
    "norm": lambda layer, shape: Layer("Norm", {"channels": shape[0], "name": layer["norm"]}),
}
