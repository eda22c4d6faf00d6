"""Necks: how maps of several strides are mixed. A new one is a function and a line in `NECKS`.

Those here bring the maps of every level to one width first, and give maps of that width.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from evonas.networks.detector.darknet_necks import passthrough, yolov3, yolov3_tiny, yolov4
from evonas.networks.detector.extras import EXTRAS
from evonas.networks.detector.levels import Kind, Level, Planned, block, convolution, further
from evonas.networks.detector.refinements import REFINEMENTS
from evonas.networks.plan import Layer, Part

# What a neck is meant to say where it does not.
NECK_DEFAULTS: Mapping[str, Any] = {
    "kind": "pan",
    "fusion": "concat",
    "depth": 1,
    "kernel": 3,
    "depthwise": False,
    "spp": False,
    "partial": False,
    "compress": False,
    "rfb": False,
    **dict.fromkeys(REFINEMENTS, False),
    "valid": 0,
    "l2_norm": False,
}
EVERY_NECK = ("width", "spp", "rfb", *REFINEMENTS)  # the keys that every kind takes
FUSIONS = ("add", "concat", "weighted")


def tidied(neck: Mapping[str, Any], levels: int) -> dict[str, Any]:
    """Without what a neck of its kind does not take, and what changes nothing in it."""
    kind = neck.get("kind", NECK_DEFAULTS["kind"])
    tidy = NECKS[kind].tidied(neck, EVERY_NECK, NECK_DEFAULTS)
    full = {**NECK_DEFAULTS, **tidy}
    idle = {"spp"} if full["rfb"] else set()
    idle |= {"asff"} if levels == 1 or kind in OF_NO_PATH else set()
    # A sum takes as many channels as it has.
    idle |= {"compress"} if full["fusion"] != "concat" else set()
    return {key: value for key, value in tidy.items() if key not in idle}


def _laterals(network: Mapping[str, Any], levels: Sequence[Level]) -> Planned:
    """A 1x1 convolution for each level; maybe something that sees further on the coarsest."""
    width = network["neck"]["width"]
    parts = []
    for level in levels:
        layers = _furthest(network, level.channels) if level is levels[-1] else []
        layers = layers or [convolution(network, level.channels, width)]
        parts.append(Part(f"lateral_{level.number}", tuple(layers), (level.reads,)))
    return parts, [level.behind(part, width) for level, part in zip(levels, parts, strict=True)]


def _furthest(network: Mapping[str, Any], given: int) -> list[Layer]:
    """As in YOLO poolings are of half the channels; a receptive field block narrows by itself."""
    neck = network["neck"]
    if neck["rfb"]:
        return further(network, given, neck["width"])
    half = max(1, neck["width"] // 2)
    seen = further(network, half, neck["width"])
    return [convolution(network, given, half), *seen] if seen else []


def _top_down(network: Mapping[str, Any], levels: Sequence[Level]) -> Planned:
    """The coarsest map goes into each finer one: feature pyramid (arXiv 1612.03144, figure 3)."""
    parts, laterals = _laterals(network, levels)
    *finer, above = laterals
    made = [above]
    for level in reversed(finer):
        up, channels = _up(network, above, level)
        parts += [up, *_mixed(network, f"top_down_{level.number}", level, up, channels)]
        above = level.behind(parts[-1], level.channels)
        made.insert(0, above)
    return parts, made


def _up(network: Mapping[str, Any], above: Level, level: Level) -> tuple[Part, int]:
    """A level in the size of a finer one, and its channels: half of them, if compressed."""
    channels, layers = above.channels, list[Layer]()
    if network["neck"]["compress"]:
        channels = max(1, channels // 2)
        layers.append(convolution(network, above.channels, channels))
    layers.append(Layer("Upsample", {"factor": above.stride // level.stride}))
    return Part(f"up_{level.number}", tuple(layers), (above.reads,)), channels


def _both_ways(network: Mapping[str, Any], levels: Sequence[Level]) -> Planned:
    """And back: path aggregation (arXiv 1803.01534, section 3.1)."""
    parts, pyramid = _top_down(network, levels)
    below, *coarser = pyramid
    made = [below]
    for level in coarser:
        stride = level.stride // below.stride
        strided = block(network, network["neck"], level.channels, stride)
        down = Part(f"down_{level.number}", (strided,), (below.reads,))
        name = f"bottom_up_{level.number}"
        parts += [down, *_mixed(network, name, level, down, level.channels)]
        below = level.behind(parts[-1], level.channels)
        made.append(below)
    return parts, made


def _mixed(
    network: Mapping[str, Any], name: str, level: Level, other: Part, channels: int
) -> list[Part]:
    """A level and a map of its size and so many channels, fused, with the blocks behind."""
    neck = network["neck"]
    fused = Layer("Fusion", {"how": neck["fusion"], "terms": 2})
    mixed = Part(f"{name}_fused", (fused,), (level.reads, other.name))
    layers = [block(network, neck, level.channels) for _ in range(neck["depth"])]
    if neck["fusion"] == "concat":
        layers.insert(0, convolution(network, level.channels + channels, level.channels))
    return [mixed, Part(name, tuple(layers), (mixed.name,))] if layers else [mixed]


_FUSED = ("fusion", "depth", "kernel", "depthwise", "compress")
NECKS: Mapping[str, Kind] = {
    "none": Kind((), (), _laterals, any_size=True),
    "fpn": Kind(_FUSED, ("kernel", "depthwise"), _top_down),
    "pan": Kind(_FUSED, (), _both_ways),
    "yolov3": Kind(("depth",), (), yolov3),
    "yolov3_tiny": Kind(("partial",), (), yolov3_tiny),
    "yolov4": Kind(("depth",), (), yolov4),
    "passthrough": Kind(("depth",), (), passthrough),
    "extras": EXTRAS,
}

# Necks that give one level, or levels of sizes that are no multiples of each other.
OF_NO_PATH = ("passthrough", "extras")

# What a neck is where it has one level alone.
OF_ONE_LEVEL: Mapping[str, str] = {"fpn": "none", "pan": "none", "yolov4": "yolov3"}
