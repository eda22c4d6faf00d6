"""What a neck may do with its levels behind its path. A new one is a function and a line here."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evonas.networks.detector.levels import Level, Planned, convolution
from evonas.networks.plan import Layer, Part
from evonas.networks.stages.plan import norm_argument

# Necks whose levels are what Darknet's heads double the channels of.
DOUBLED = ("yolov3", "yolov4")


def refined(network: Mapping[str, Any], levels: Sequence[Level]) -> Planned:
    """What the neck's words do with the levels that its path gives."""
    parts = list[Part]()
    for word, refine in REFINEMENTS.items():
        if network["neck"][word]:
            more, levels = refine(network, levels)
            parts += more
    return parts, levels


def _adaptively_fused(network: Mapping[str, Any], levels: Sequence[Level]) -> Planned:
    """Each level becomes a sum of all of them (ASFF, arXiv 1911.09516, section 3.3).

    As in the published code: all levels are brought to the size and the width of one, fused, and
    expanded by a 3x3 convolution, with Darknet's necks to twice the channels of its path. Before,
    the finest level gets as many channels as the next has.
    """
    if len(levels) == 1:
        return [], levels
    parts, given = _finest_widened(network, levels)
    made = []
    for level, before in zip(given, levels, strict=True):
        others = [_resized(network, other, level) for other in given if other is not level]
        how = {"activation": network["activation"], **norm_argument(network)}
        shape = {"channels": level.channels, "terms": len(levels)}
        fused = Part(
            f"asff_{level.number}_fused",
            (Layer("AdaptiveFusion", {**shape, **how}),),
            (level.reads, *(part.name for part in others)),
        )
        channels = before.channels * (2 if network["neck"]["kind"] in DOUBLED else 1)
        expand = convolution(network, level.channels, channels, 3)
        expanded = Part(f"asff_{level.number}", (expand,), (fused.name,))
        parts += [*others, fused, expanded]
        made.append(level.behind(expanded, channels))
    return parts, made


def _finest_widened(network: Mapping[str, Any], levels: Sequence[Level]) -> Planned:
    finest, following = levels[:2]
    if finest.channels >= following.channels:
        return [], levels
    layer = convolution(network, finest.channels, following.channels, 3)
    part = Part(f"widened_{finest.number}", (layer,), (finest.reads,))
    return [part], [finest.behind(part, following.channels), *levels[1:]]


def _resized(network: Mapping[str, Any], level: Level, target: Level) -> Part:
    """A level as wide and as large as another one."""
    layers = list[Layer]()
    if level.stride > target.stride:
        if level.channels != target.channels:
            layers.append(convolution(network, level.channels, target.channels))
        layers.append(Layer("Upsample", {"factor": level.stride // target.stride}))
    else:
        factor = target.stride // level.stride
        while factor > 2 and factor % 2 == 0:
            layers.append(Layer("MaxPool", {"kernel": 3, "stride": 2, "padding": 1}))
            factor //= 2
        layers.append(convolution(network, level.channels, target.channels, 3, factor))
    name = f"asff_{target.number}_of_{level.number}"
    return Part(name, tuple(layers), (level.reads,))


def _attended(network: Mapping[str, Any], levels: Sequence[Level]) -> Planned:
    """Gates for each number of each map (SAM as in YOLOv4, arXiv 2004.10934, figure 5b)."""
    parts = [
        Part(
            f"attended_{level.number}",
            (Layer("SpatialAttention", {"channels": level.channels, "kind": "pointwise"}),),
            (level.reads,),
        )
        for level in levels
    ]
    made = [level.behind(part, level.channels) for level, part in zip(levels, parts, strict=True)]
    return parts, made


# The words of necks in the order in which they act; all are false unless a neck says otherwise.
REFINEMENTS: Mapping[str, Callable[[Mapping[str, Any], Sequence[Level]], Planned]] = {
    "asff": _adaptively_fused,
    "sam": _attended,
}
