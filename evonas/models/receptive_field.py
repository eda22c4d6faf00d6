"""Which pixels of the image a value of a map depends on, followed from operation to operation.

Each axis by itself, in the arithmetic of Araujo, Norris and Sim, "Computing receptive fields of
convolutional neural networks" (Distill, 2019, doi 10.23915/distill.00021, sections "Single-path
networks" and "Arbitrary computation graphs"): windows extend what is seen, and where paths meet,
all is seen that any of them sees.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch

aten = torch.ops.aten


class Span(NamedTuple):
    """What is seen along one axis: the first value of a map depends on pixels `first` to `last`.

    The next value depends on pixels that lie `jump` further. Pixels before 0 are padding.
    """

    first: int = 0
    last: int = 0
    jump: int = 1

    @property
    def pixels(self) -> int:
        """How many pixels a value depends on, if the border of the image is far."""
        return self.last - self.first + 1

    def behind(self, other: "Span") -> "Span":
        """What is seen if the map that this one sees has seen `other` itself."""
        first = other.first + other.jump * self.first
        last = other.last + other.jump * self.last
        return Span(first, last, other.jump * self.jump)


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


class Fields:
    """What each tensor of a forward pass sees that is a map of such an extent.

    Means of whole maps see everything. They are no maps, and what they scale is not counted to
    see more by it, so that a field is that of the path of convolutions.
    """

    def __init__(self) -> None:
        self._fields: dict[torch.Tensor, Field] = {}  # holds them: an id belongs to one tensor

    def __getitem__(self, maps: torch.Tensor) -> Field | None:
        return self._fields.get(maps)

    def __setitem__(self, maps: torch.Tensor, field: Field) -> None:
        self._fields[maps] = field

    def follow(self, operation: Any, arguments: Sequence[Any], output: Any) -> None:
        """Notes what the outputs of an operation of `torch.ops.aten` see."""
        window = WINDOWS.get(operation)
        for maps in _tensors(output):
            if window is not None:
                field = behind(window(*arguments), self[arguments[0]])
            else:
                sides = maps.shape[-2:]
                field = joined(self[m] for m in _tensors(arguments) if m.shape[-2:] == sides)
            if field is not None and maps.dim() >= 4:
                self[maps] = field


def _tensors(values: Any) -> Iterable[torch.Tensor]:
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _tensors(value)


def _window(kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Span:
    """What a window sees of the map that it moves over."""
    return Span(-padding, dilation * (kernel - 1) - padding, stride)


def _windows(*sizes: Sequence[int]) -> Field:
    """Of two axes, from kernel, stride and so on of both; a single number is meant for both."""
    both = [tuple(size) if len(size) == 2 else tuple(size) * 2 for size in sizes]
    height, width = (_window(*axis) for axis in zip(*both, strict=True))
    return height, width


def _convolution(
    maps: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    is_transposed: bool,
    *rest: Any,
) -> Field | None:
    return None if is_transposed else _windows(weight.shape[2:], stride, padding, dilation)


def _max_pool(
    maps: torch.Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    *rest: Any,
) -> Field:
    return _windows(kernel, stride or kernel, padding, dilation)


def _average_pool(
    maps: torch.Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    *rest: Any,
) -> Field:
    return _windows(kernel, stride or kernel, padding)


def _adaptive_pool(maps: torch.Tensor, sides: Sequence[int]) -> Field | None:
    """Equal windows side by side; None if it makes them unequal or takes the whole map."""
    given = maps.shape[-2:]
    if any(large % small or small == 1 for large, small in zip(given, sides, strict=True)):
        return None
    kernel = [large // small for large, small in zip(given, sides, strict=True)]
    return _windows(kernel, kernel)


def _pad(maps: torch.Tensor, pads: Sequence[int], *rest: Any) -> Field:
    left, _, top, *_ = [*pads, 0, 0]
    return _window(1, padding=top), _window(1, padding=left)


def _slice(
    maps: torch.Tensor,
    dimension: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Field:
    spans = [Span()] * maps.dim()
    start = start or 0
    begin = start if start >= 0 else start + maps.shape[dimension]
    spans[dimension] = Span(begin, begin, step)
    return spans[-2], spans[-1]


def _space_to_depth(maps: torch.Tensor, factor: int) -> Field:
    return _windows([factor], [factor])


# What operations that move over the map see of it; all others see what their maps of equal size do.
WINDOWS: Mapping[Any, Callable[..., Field | None]] = {
    aten.convolution.default: _convolution,
    aten.max_pool2d_with_indices.default: _max_pool,
    aten.avg_pool2d.default: _average_pool,
    aten._adaptive_avg_pool2d.default: _adaptive_pool,
    aten.adaptive_max_pool2d.default: _adaptive_pool,
    aten.constant_pad_nd.default: _pad,
    aten.slice.Tensor: _slice,
    aten.pixel_unshuffle.default: _space_to_depth,
}
