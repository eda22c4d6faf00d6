"""Necks of Darknet's detectors, whose levels have half as many channels from one to the next finer.

The coarsest level has the neck's width. Convolutions are of 1x1 pixels to a level's width, or of
3x3 to twice as many channels; a coarser map is compressed by one of 1x1 before it is enlarged.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from evonas.networks.detector.levels import Level, Planned, convolution, further
from evonas.networks.plan import Layer, Part

Network = Mapping[str, Any]

OF_FINER = 4  # channels that are passed through are that part of the width, as in YOLOv2


def yolov3(network: Network, levels: Sequence[Level]) -> Planned:
    """Down to the finest, by concatenation (YOLOv3, arXiv 1804.02767, section 2.3).

    `depth` pairs of convolutions follow each; poolings stand behind the first pair of the coarsest
    (yolov3-spp.cfg).
    """
    *finer, coarsest = levels
    parts, above = _coarsest(network, coarsest)
    made = [above]
    for level in reversed(finer):
        width = _half(above.channels)
        up = _up(network, above, level, width)
        given, name = width + level.channels, f"top_down_{level.number}"
        parts += [up, *_mixed(network, name, given, width, up.name, level.reads)]
        above = level.behind(parts[-1], width)
        made.insert(0, above)
    return parts, made


def yolov4(network: Network, levels: Sequence[Level]) -> Planned:
    """Down and up again, by concatenation (YOLOv4, arXiv 2004.10934, section 3.4)."""
    *finer, coarsest = levels
    parts, above = _coarsest(network, coarsest)
    made = [above]
    for level in reversed(finer):
        width, name = _half(above.channels), f"top_down_{level.number}"
        up = _up(network, above, level, width)
        narrow = (convolution(network, level.channels, width),)
        lateral = Part(f"lateral_{level.number}", narrow, (level.reads,))
        mixed = _mixed(network, name, 2 * width, width, lateral.name, up.name)
        parts += [up, lateral, *mixed]
        above = level.behind(parts[-1], width)
        made.insert(0, above)
    return _up_again(network, parts, made)


def _up_again(network: Network, parts: list[Part], levels: Sequence[Level]) -> Planned:
    """From the finest, which stays, into each coarser one."""
    below, *coarser = levels
    made = [below]
    for level in coarser:
        stride, width = level.stride // below.stride, level.channels
        strided = (convolution(network, below.channels, width, 3, stride),)
        down = Part(f"down_{level.number}", strided, (below.reads,))
        name = f"bottom_up_{level.number}"
        parts += [down, *_mixed(network, name, 2 * width, width, down.name, level.reads)]
        below = level.behind(parts[-1], width)
        made.append(below)
    return parts, made


def yolov3_tiny(network: Network, levels: Sequence[Level]) -> Planned:
    """Down with one 3x3 convolution a level (yolov3-tiny.cfg, yolov4-tiny.cfg).

    If the levels are `partial`, what stages made last is read of the finer ones: the second half
    of channels whose first goes around.
    """
    *finer, coarsest = levels
    width = network["neck"]["width"]
    narrow = [convolution(network, coarsest.channels, width), *further(network, width, width)]
    parts = [Part(f"lateral_{coarsest.number}", tuple(narrow), (coarsest.reads,))]
    above = coarsest.behind(parts[-1], width)
    wide = (convolution(network, width, 2 * width, 3),)
    parts.append(Part(f"top_down_{coarsest.number}", wide, (above.reads,)))
    made = [coarsest.behind(parts[-1], 2 * width)]
    for level in reversed(finer):
        half, given = _read(network, level)
        width, name = _half(width), f"top_down_{level.number}"
        up = _up(network, above, level, width)
        fused = _fused(name, up.name, given.reads)
        wide = (convolution(network, width + given.channels, 2 * width, 3),)
        parts += [*half, up, fused, Part(name, wide, (fused.name,))]
        above = level.behind(parts[-1], 2 * width)
        made.insert(0, above)
    return parts, made


def _read(network: Network, level: Level) -> tuple[list[Part], Level]:
    """A level as it is, or the second half of its channels."""
    if not network["neck"]["partial"]:
        return [], level
    half = Layer("ChannelGroup", {"group": 2, "groups": 2})
    part = Part(f"last_{level.number}", (half,), (level.reads,))
    return [part], level.behind(part, level.channels // 2)


def passthrough(network: Network, levels: Sequence[Level]) -> Planned:
    """Pixels of finer maps as channels in front of the coarsest: one level is left.

    YOLOv2, arXiv 1612.08242, section 2: `depth` 3x3 convolutions on the coarsest map, and one
    behind all of them.
    """
    *finer, coarsest = levels
    width = network["neck"]["width"]
    parts, coarse = _deepened(network, coarsest)
    given, reads = coarse.channels, list[str]()
    for level in finer:
        factor = coarse.stride // level.stride
        channels = max(1, width // (OF_FINER * factor**2))
        narrow = convolution(network, level.channels, channels)
        passed = (narrow, Layer("SpaceToDepth", {"factor": factor}))
        parts.append(Part(f"passed_{level.number}", passed, (level.reads,)))
        reads.append(parts[-1].name)
        given += channels * factor**2
    if reads:
        parts.append(_fused("passthrough", *reads, coarse.reads))
    last = (convolution(network, given, width, 3),)
    parts.append(Part("passthrough", last, (parts[-1].name if reads else coarse.reads,)))
    return parts, [coarse.behind(parts[-1], width)]


def _deepened(network: Network, level: Level) -> tuple[list[Part], Level]:
    """The coarsest level behind its own convolutions, as it is if it has none."""
    width = network["neck"]["width"]
    layers, given = further(network, level.channels, level.channels), level.channels
    for _ in range(network["neck"]["depth"]):
        layers.append(convolution(network, given, width, 3))
        given = width
    part = Part(f"deep_{level.number}", tuple(layers), (level.reads,))
    return ([part], level.behind(part, given)) if layers else ([], level)


def _coarsest(network: Network, level: Level) -> tuple[list[Part], Level]:
    width = network["neck"]["width"]
    first, *pairs = _row(network, level.channels, width)
    layers = [first, *pairs[:2], *further(network, width, width), *pairs[2:]]
    part = Part(f"top_down_{level.number}", tuple(layers), (level.reads,))
    return [part], level.behind(part, width)


def _row(network: Network, given: int, width: int) -> list[Layer]:
    """To the width of the level, then in pairs to twice as many channels and back."""
    wide, narrow = convolution(network, width, 2 * width, 3), convolution(network, 2 * width, width)
    return [convolution(network, given, width), *[wide, narrow] * network["neck"]["depth"]]


def _half(width: int) -> int:
    return max(1, width // 2)


def _up(network: Network, above: Level, level: Level, width: int) -> Part:
    """The coarser map, compressed to the width and as large as that of the level."""
    larger = Layer("Upsample", {"factor": above.stride // level.stride})
    layers = (convolution(network, above.channels, width), larger)
    return Part(f"up_{level.number}", layers, (above.reads,))


def _fused(name: str, *reads: str) -> Part:
    fused = Layer("Fusion", {"how": "concat", "terms": len(reads)})
    return Part(f"{name}_fused", (fused,), reads)


def _mixed(network: Network, name: str, given: int, width: int, *reads: str) -> list[Part]:
    """Maps of one size behind each other, and the convolutions of a level."""
    fused = _fused(name, *reads)
    return [fused, Part(name, tuple(_row(network, given, width)), (fused.name,))]
