"""The layers of a chain: the words they are written in, what a word leaves out, what comes out.

A layer is a mapping with one word of `DEFAULTS` and the keys listed there. Its value says what
matters most, as in `{conv: 64, kernel: 3}` or `{max_pool: 2}`; the layers with branches hold a
list of lists of layers, where an empty list passes maps on unchanged.

An extent is a number of pixels for both axes, or [height, width].
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evonas.errors import BuildError
from evonas.networks.windows import places
from evonas.registry import unknown_name

Layer = Mapping[str, Any]
Shape = tuple[int, ...]  # (channels, height, width) of maps, (features,) behind the pooling

CLASSES, INPUT, DEPTHWISE = "classes", "input", "depthwise"  # in place of numbers of channels
SAME, VALID = "same", "valid"
NONE = "none"
AS_NETWORK, AS_KERNEL = "as the network", "as the kernel"

# What each word's keys mean if they are not there; those of `NEEDED` have to be.
_POOL: Layer = {"stride": AS_KERNEL, "padding": VALID, "ceil": False}
DEFAULTS: Mapping[str, Layer] = {
    "conv": {
        "stride": 1,
        "padding": SAME,
        "dilation": 1,
        "groups": 1,
        "norm": AS_NETWORK,
        "activation": AS_NETWORK,
        "bias": AS_NETWORK,
    },
    "linear": {"activation": AS_NETWORK, "bias": True},
    "max_pool": _POOL,
    "avg_pool": {**_POOL, "counts_padding": True},
    "lp_pool": _POOL,
    "global_pool": {},
    "spp": {},
    "flatten": {},
    "lrn": {"alpha": 1e-4, "beta": 0.75, "k": 1},
    "dropout": {},
    "pyramid": {},
    "space_to_depth": {},
    "channel_group": {},
    "channel_shuffle": {},
    "spatial_attention": {},
    "concat": {},
    "sum": {"scale": 1},
    "weighted_sum": {"weights": "fast"},
    "activation": {},  # these two are keys of others as well, so they come last
    "norm": {},
}
NEEDED: Mapping[str, Sequence[str]] = {
    "conv": ("kernel",),
    "lp_pool": ("kernel",),
    "channel_group": ("groups",),
}
BRANCHED = ("concat", "sum", "weighted_sum")
OF_FEATURES = ("linear", "global_pool", "spp", "flatten")  # words that end maps, or follow that
POOLS = ("max_pool", "avg_pool", "lp_pool")
TIMES, REPEATED = "times", "layers"  # {times: 3, layers: [...]}


class TooSmall(BuildError):
    """A map is smaller than the window that is to move over it: a larger input would do."""


def word_of(layer: Layer) -> str:
    """What kind of layer it is.

    Raises:
        BuildError: It has none of the words.
    """
    word = next((word for word in DEFAULTS if word in layer), None)
    if word is None:
        raise BuildError(unknown_name(DEFAULTS, ", ".join(map(str, layer)), "layer"))
    return word


def filled(layer: Layer, network: Layer) -> dict[str, Any]:
    """The layer with all its keys, extents as short as they go, padding in pixels.

    Args:
        network: The section, for its norm, activation and bias. Convolutions without norm have a
            bias unless they say themselves that they have none.
    """
    word = word_of(layer)
    if word in BRANCHED:
        rows = [[filled(each, network) for each in row] for row in layer[word]]
        return {**DEFAULTS[word], **layer, word: rows}
    full = {**DEFAULTS[word], **layer}
    for key in ("norm", "activation"):
        if full.get(key) == AS_NETWORK:  # what gives the logits is linear
            full[key] = NONE if full[word] == CLASSES else network.get(key, "batch")
    if word == "conv" and full["bias"] == AS_NETWORK:
        full["bias"] = network.get("bias", False) or full["norm"] == NONE
    return _with_extents(full, word) if word == "conv" or word in POOLS else full


def _with_extents(layer: dict[str, Any], word: str) -> dict[str, Any]:
    key = "kernel" if "kernel" in layer else word
    kernel, stride = sides(layer[key]), layer["stride"]
    padding = [0, 0] if layer["padding"] == VALID else layer["padding"]
    is_even = any(side % 2 == 0 for side in kernel)
    if padding == SAME and not (is_even and word == "max_pool"):
        padding = [layer.get("dilation", 1) * (side // 2) for side in kernel]
    stride = kernel if stride == AS_KERNEL else sides(stride)
    extents = {key: kernel, "stride": stride, "padding": sides(padding)}
    return {**layer, **{name: _extent(both) for name, both in extents.items()}}


def sides(extent: Any) -> list[int]:
    """[height, width] of an extent."""
    return list(extent) if isinstance(extent, list | tuple) else [extent, extent]


def _extent(both: Sequence[int]) -> Any:
    return both[0] if both[0] == both[1] else list(both)


def shape_after(layer: Layer, shape: Shape) -> Shape:
    """What a filled layer with numbers for its channels makes of a shape.

    Raises:
        BuildError: It cannot be applied to that shape.
    """
    word = word_of(layer)
    needs_maps = word not in ("linear", "dropout", "activation")
    if needs_maps and len(shape) != 3:
        raise BuildError(f"it needs maps, and is given {shape[0]} features. Write it further up.")
    if word == "linear" and len(shape) != 1:
        raise BuildError(
            f"it needs features, and is given maps of {shown(shape)}. Write "
            "{flatten: true} or {global_pool: average} before it."
        )
    return SHAPES[word](layer, shape) if word in SHAPES else shape


def row_shape(layers: Sequence[Layer], shape: Shape) -> Shape:
    """What layers in a row make of a shape."""
    for layer in layers:
        shape = shape_after(layer, shape)
    return shape


def stride_of(layer: Layer) -> int:
    """How many times smaller a filled layer makes maps, windows at their edges aside."""
    word = word_of(layer)
    if word in BRANCHED:
        return math.prod(stride_of(each) for each in layer[word][0])
    return int(layer[word]) if word == "space_to_depth" else max(sides(layer.get("stride", 1)))


def shown(shape: Shape) -> str:
    """A shape as it is read: 64x28x28."""
    return "x".join(map(str, shape))


def _conv(layer: Layer, shape: Shape) -> Shape:
    channels, groups = layer["conv"], layer["groups"]
    if channels % groups or shape[0] % groups:
        raise BuildError(f"{shape[0]} to {channels} channels do not fall into {groups} groups.")
    return (channels, *_window(layer, layer["kernel"], shape))


def _pool(layer: Layer, shape: Shape) -> Shape:
    kernel = layer.get("kernel", layer[word_of(layer)])
    if layer["padding"] == SAME:
        return _kept(layer, shape)
    if any(2 * p > k for p, k in zip(sides(layer["padding"]), sides(kernel), strict=True)):
        raise BuildError(f"a padding of {layer['padding']} is more than half of its window.")
    return (shape[0], *_window(layer, kernel, shape))


def _kept(layer: Layer, shape: Shape) -> Shape:
    """A window of even sides has a pixel more at the right and below; others have pixels by now."""
    if layer["stride"] != 1:
        raise BuildError(f"a stride of {layer['stride']} keeps no size. Write a padding in pixels.")
    return shape


def _window(layer: Layer, kernel: Any, shape: Shape) -> list[int]:
    """Pixels along each axis, see `windows.places`."""
    stride, padding = sides(layer["stride"]), sides(layer["padding"])
    both = zip(shape[1:], sides(kernel), stride, padding, strict=True)
    found = [places(*axis, layer.get("dilation", 1), layer.get("ceil", False)) for axis in both]
    if min(found) < 1:
        window = shown(tuple(sides(kernel)))
        raise TooSmall(f"a window of {window} px does not fit a map of {shown(shape[1:])} px.")
    return found


def _space_to_depth(layer: Layer, shape: Shape) -> Shape:
    factor = layer["space_to_depth"]
    if shape[1] % factor or shape[2] % factor:
        raise BuildError(f"a map of {shown(shape[1:])} px does not divide by {factor}.")
    return (shape[0] * factor**2, shape[1] // factor, shape[2] // factor)


def _channel_group(layer: Layer, shape: Shape) -> Shape:
    group, groups = layer["channel_group"], layer["groups"]
    if shape[0] % groups or group > groups:
        raise BuildError(f"{shape[0]} channels have no group {group} of {groups} equal ones.")
    return (shape[0] // groups, *shape[1:])


def _channel_shuffle(layer: Layer, shape: Shape) -> Shape:
    if shape[0] % layer["channel_shuffle"]:
        raise BuildError(f"{shape[0]} channels do not fall into {layer['channel_shuffle']} groups.")
    return shape


def _concat(layer: Layer, shape: Shape) -> Shape:
    shapes = [row_shape(row, shape) for row in layer["concat"]]
    if len({each[1:] for each in shapes}) > 1:
        raise BuildError(f"branches of {_listed(shapes)} cannot be concatenated.")
    return (sum(each[0] for each in shapes), *shapes[0][1:])


def _sum(layer: Layer, shape: Shape) -> Shape:
    shapes = [row_shape(row, shape) for row in layer[word_of(layer)]]
    if len(set(shapes)) > 1:
        raise BuildError(f"branches of {_listed(shapes)} cannot be added.")
    return shapes[0]


def _listed(shapes: Sequence[Shape]) -> str:
    return " and ".join(map(shown, shapes))


# Words of layers that change the shape.
SHAPES: Mapping[str, Callable[[Layer, Shape], Shape]] = {
    "conv": _conv,
    **dict.fromkeys(POOLS, _pool),
    "linear": lambda layer, shape: (layer["linear"],),
    "global_pool": lambda layer, shape: shape[:1],
    "spp": lambda layer, shape: (shape[0] * sum(bins**2 for bins in layer["spp"]),),
    "flatten": lambda layer, shape: (shape[0] * shape[1] * shape[2],),
    "pyramid": lambda layer, shape: (shape[0] * (1 + len(layer["pyramid"])), *shape[1:]),
    "space_to_depth": _space_to_depth,
    "channel_group": _channel_group,
    "channel_shuffle": _channel_shuffle,
    "concat": _concat,
    "sum": _sum,
    "weighted_sum": _sum,
}
