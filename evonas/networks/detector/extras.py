"""The neck of SSD: coarser levels behind those of the backbone (arXiv 1512.02325, figure 2)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from evonas.errors import BuildError
from evonas.networks.detector.levels import Kind, Level, Planned, convolution, further
from evonas.networks.plan import Layer, Part

WINDOW = 3  # px, of the convolutions that make levels


def _extras(network: Mapping[str, Any], levels: Sequence[Level]) -> Planned:
    """`depth` levels more, each of a 1x1 and a 3x3 convolution, of twice as many channels.

    The first has the neck's width, the others half of it. The last ones, as many as are `valid`,
    have neither stride nor padding, the others a stride of 2.
    """
    neck, (*finer, last) = network["neck"], levels
    parts, last = _seeing_further(network, last)
    levels = [*finer, last]
    if neck["l2_norm"]:
        finest = levels[0]
        norm = (Layer("L2Norm", {"channels": finest.channels}),)
        parts.append(Part(f"normed_{finest.number}", norm, (finest.reads,)))
        levels[0] = finest.behind(parts[-1], finest.channels)
    for index in range(neck["depth"]):
        width = neck["width"] if index == 0 else _half(neck["width"])
        part, last = _coarser(network, last, width, index >= neck["depth"] - neck["valid"])
        parts.append(part)
        levels.append(last)
    return parts, levels


def _coarser(
    network: Mapping[str, Any], last: Level, width: int, is_valid: bool
) -> tuple[Part, Level]:
    """The level behind the last one."""
    stride = 1 if is_valid else 2
    if last.px < (WINDOW if is_valid else 2):
        raise BuildError(
            f"neck: behind a map of {last.px}x{last.px} px there is no level more. Write a smaller "
            "depth or valid, or a larger resolution_px."
        )
    narrow = convolution(network, last.channels, _half(width))
    wide = convolution(network, _half(width), width, WINDOW, stride)
    layers = [narrow, wide]
    if is_valid:
        unpadded = Layer(wide.module, {**wide.arguments, "padding": 0})
        layers = [narrow, Layer("AtLeast", {"side": WINDOW}), unpadded]
    px = last.px - WINDOW + 1 if is_valid else -(-last.px // 2)
    part = Part(f"extra_{last.number + 1}", tuple(layers), (last.reads,))
    made = replace(last, number=last.number + 1, stride=last.stride * stride, px=px)
    return part, made.behind(part, width)


def _seeing_further(network: Mapping[str, Any], level: Level) -> tuple[list[Part], Level]:
    """The coarsest level of the backbone, maybe behind something that sees further."""
    layers = tuple(further(network, level.channels, level.channels))
    part = Part(f"further_{level.number}", layers, (level.reads,))
    return ([part], level.behind(part, level.channels)) if layers else ([], level)


def _half(width: int) -> int:
    return max(1, width // 2)


EXTRAS = Kind(("depth", "valid", "l2_norm"), ("valid",), _extras, any_size=True)
