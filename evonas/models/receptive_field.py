"""Which pixels of the image a value of a map depends on, followed from operation to operation.

Each axis by itself, in the arithmetic of Araujo, Norris and Sim, "Computing receptive fields of
convolutional neural networks" (Distill, 2019, doi 10.23915/distill.00021, sections "Single-path
networks" and "Arbitrary computation graphs"): windows extend what is seen, and where paths meet,
all is seen that any of them sees.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import torch

from evonas.models.trace import Arguments, Step, Trace


class Span(NamedTuple):
    """What is seen along one axis: the first value of a map depends on pixels `first` to `last`.

    The next value depends on pixels that lie `jump` further, a part of one behind up-sampling.
    Pixels before 0 are padding.
    """

    first: int = 0
    last: int = 0
    jump: int | Fraction = 1

    @property
    def pixels(self) -> int:
        """How many pixels a value depends on, if the border of the image is far."""
        return self.last - self.first + 1

    def behind(self, other: "Span") -> "Span":
        """What is seen if the map that this one sees has seen `other` itself."""
        first = math.floor(other.first + other.jump * self.first)
        last = math.ceil(other.last + other.jump * self.last)
        jump = other.jump * self.jump
        return Span(first, last, int(jump) if jump == int(jump) else jump)


Field = tuple[Span, Span]  # along the height and the width
PIXEL: Field = (Span(), Span())  # what the image's own values see


@lru_cache
def behind(field: Field | None, other: Field | None) -> Field | None:
    """Both axes, see `Span.behind`; None, which has no limit, stays so."""
    if field is None or other is None:
        return None
    return field[0].behind(other[0]), field[1].behind(other[1])


def joined(fields: Iterable[Field | None]) -> Field | None:
    """What maps of one size see that are added or concatenated; None counts only if all are."""
    return _joined(frozenset(fields) - {None})


@lru_cache
def _joined(fields: frozenset[Field]) -> Field | None:
    if len(fields) <= 1:
        return next(iter(fields), None)
    axes = zip(*fields, strict=True)
    height, width = (
        Span(min(s.first for s in axis), max(s.last for s in axis), max(s.jump for s in axis))
        for axis in axes
    )
    return height, width


def seen(trace: Trace) -> list[Field | None]:
    """What the outputs of a network see of its inputs; None: all of them.

    Means of whole maps see everything. They are no maps, and what they scale is not counted to
    see more by it, so that a field is that of the path of convolutions.
    """
    fields: dict[torch.Tensor, Field] = dict.fromkeys(trace.given, PIXEL)
    for step in trace.steps:
        field = _seen_by(step, fields)
        if field is not None and step.result.dim() >= 4:
            fields[step.result] = field
    return [fields.get(output) for output in trace.outputs]


def _seen_by(step: Step, fields: Mapping[torch.Tensor, Field]) -> Field | None:
    window = WINDOWS.get(step.operation)
    if window is not None:
        return behind(window(step.arguments), fields.get(step.reads[0]))
    sides = step.result.shape[-2:]
    return joined(fields.get(maps) for maps in step.reads if maps.shape[-2:] == sides)


def _window(kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Span:
    """What a window sees of the map that it moves over."""
    return Span(-padding, dilation * (kernel - 1) - padding, stride)


def _windows(*sizes: Sequence[int]) -> Field:
    """Of two axes, from kernel, stride and so on of both; a single number is meant for both."""
    both = [tuple(size) if len(size) == 2 else tuple(size) * 2 for size in sizes]
    height, width = (_window(*axis) for axis in zip(*both, strict=True))
    return height, width


def _convolution(arguments: Arguments) -> Field | None:
    if arguments["transposed"]:
        return None
    keys = ("stride", "padding", "dilation")
    return _windows(arguments["weight"].shape[2:], *(arguments[key] for key in keys))


def _pool(arguments: Arguments) -> Field:
    kernel = arguments["kernel_size"]
    stride = arguments["stride"] or kernel
    return _windows(kernel, stride, arguments["padding"], arguments.get("dilation", [1]))


def _adaptive_pool(arguments: Arguments) -> Field | None:
    """Equal windows side by side; None if it makes them unequal or takes the whole map."""
    given, sides = arguments["self"].shape[-2:], arguments["output_size"]
    if any(large % small or small == 1 for large, small in zip(given, sides, strict=True)):
        return None
    kernel = [large // small for large, small in zip(given, sides, strict=True)]
    return _windows(kernel, kernel)


def _pad(arguments: Arguments) -> Field:
    pads: list[int] = [*arguments["pad"], 0, 0]
    left, top = pads[0], pads[2]
    return _window(1, padding=top), _window(1, padding=left)


def _slice(arguments: Arguments) -> Field:
    maps, dimension, start = arguments["self"], arguments["dim"], arguments["start"] or 0
    spans = [Span()] * maps.dim()
    begin = start if start >= 0 else start + maps.shape[dimension]
    spans[dimension] = Span(begin, begin, arguments["step"])
    return spans[-2], spans[-1]


def _space_to_depth(arguments: Arguments) -> Field:
    factor = [arguments["downscale_factor"]]
    return _windows(factor, factor)


def _upsampling(arguments: Arguments) -> Field:
    """As many values for one, which see the same; two neighbours of a larger map both."""
    pairs = zip(arguments["self"].shape[2:], arguments["output_size"], strict=True)
    height, width = (Span(jump=Fraction(held, made)) for held, made in pairs)
    return height, width


# What operations that move over the map see of it; all others see what their maps of equal size do.
WINDOWS: Mapping[str, Callable[[Arguments], Field | None]] = {
    "convolution": _convolution,
    "max_pool2d_with_indices": _pool,
    "avg_pool2d": _pool,
    "_adaptive_avg_pool2d": _adaptive_pool,
    "adaptive_max_pool2d": _adaptive_pool,
    "constant_pad_nd": _pad,
    "slice": _slice,
    "pixel_unshuffle": _space_to_depth,
    "upsample_nearest2d": _upsampling,
}
