"""Necks: how maps of several strides are mixed. A new one is a function and a line in `NECKS`.

Those here bring the maps of every level to one width first, and give maps of that width.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from evonas.networks.detector.darknet_necks import passthrough, yolov3, yolov3_tiny, yolov4
from evonas.networks.detector.levels import Kind, Level, Planned, block, convolution, pooled
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
}
EVERY_NECK = ("width", "spp")  # the keys that every kind takes
FUSIONS = ("add", "concat", "weighted")


def _laterals(network: Mapping[str, Any], levels: Sequence[Level]) -> Planned:
    """A 1x1 convolution for each level; maybe a pyramid of poolings on the coarsest."""
    width = network["neck"]["width"]
    parts = []
    for level in levels:
        layers = [convolution(network, level.channels, width)]
        if network["neck"]["spp"] and level is levels[-1]:
            layers = _pool_pyramid(network, level.channels, width)
        parts.append(Part(f"lateral_{level.number}", tuple(layers), (level.reads,)))
    return parts, [level.behind(part, width) for level, part in zip(levels, parts, strict=True)]


def _pool_pyramid(network: Mapping[str, Any], given: int, width: int) -> list[Layer]:
    """YOLO's block: half the channels, their maxima at several kernels beside them, all mixed."""
    half = max(1, width // 2)
    return [convolution(network, given, half), *pooled(network, half, width)]


def _top_down(network: Mapping[str, Any], levels: Sequence[Level]) -> Planned:
    """The coarsest map goes into each finer one: feature pyramid (arXiv 1612.03144, figure 3)."""
    parts, laterals = _laterals(network, levels)
    *finer, above = laterals
    made = [above]
    for level in reversed(finer):
        factor = Layer("Upsample", {"factor": above.stride // level.stride})
        up = Part(f"up_{level.number}", (factor,), (above.reads,))
        parts += [up, *_mixed(network, f"top_down_{level.number}", level, up)]
        above = level.behind(parts[-1], level.channels)
        made.insert(0, above)
    return parts, made


def _both_ways(network: Mapping[str, Any], levels: Sequence[Level]) -> Planned:
    """And back: path aggregation (arXiv 1803.01534, section 3.1)."""
    parts, pyramid = _top_down(network, levels)
    below, *coarser = pyramid
    made = [below]
    for level in coarser:
        stride = level.stride // below.stride
        strided = block(network, network["neck"], level.channels, stride)
        down = Part(f"down_{level.number}", (strided,), (below.reads,))
        parts += [down, *_mixed(network, f"bottom_up_{level.number}", level, down)]
        below = level.behind(parts[-1], level.channels)
        made.append(below)
    return parts, made


def _mixed(network: Mapping[str, Any], name: str, level: Level, other: Part) -> list[Part]:
    """A level and a map of its size, fused, with the blocks behind."""
    neck = network["neck"]
    fused = Layer("Fusion", {"how": neck["fusion"], "terms": 2})
    mixed = Part(f"{name}_fused", (fused,), (level.reads, other.name))
    layers = [block(network, neck, level.channels) for _ in range(neck["depth"])]
    if neck["fusion"] == "concat":
        layers.insert(0, convolution(network, 2 * level.channels, level.channels))
    return [mixed, Part(name, tuple(layers), (mixed.name,))] if layers else [mixed]


_FUSED = ("fusion", "depth", "kernel", "depthwise")
NECKS: Mapping[str, Kind] = {
    "none": Kind((), (), _laterals),
    "fpn": Kind(_FUSED, ("kernel", "depthwise"), _top_down),
    "pan": Kind(_FUSED, (), _both_ways),
    "yolov3": Kind(("depth",), (), yolov3),
    "yolov3_tiny": Kind(("partial",), (), yolov3_tiny),
    "yolov4": Kind(("depth",), (), yolov4),
    "passthrough": Kind(("depth",), (), passthrough),
}

# What a neck is where it has one level alone.
OF_ONE_LEVEL: Mapping[str, str] = {"fpn": "none", "pan": "none", "yolov4": "yolov3"}
