"""Ranges of tensors of 8 bits, from what these are for calibration images."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch

from evonas.compression.int8.traced_graph import GraphNetwork, Value

BATCH = 32
LEVELS = 255  # of 8 bits, above the least
BINS = 4096  # of a histogram: a percentile is exact to such a part of the range
Extent = tuple[float, float]  # the least and the largest number


@dataclass(frozen=True)
class Range:
    """Of a tensor of 8 bits: the number x is round(x / scale) + zero, between 0 and 255."""

    scale: float
    zero: int

    @classmethod
    def of(cls, low: float, high: float) -> "Range":
        """From low to high, with 0 among them, which is exact (arXiv 1712.05877, section 2.1).

        >>> Range.of(-127.5, 127.5)
        Range(scale=1.0, zero=128)
        """
        low, high = min(low, 0.0), max(high, 0.0)
        scale = (high - low) / LEVELS
        return cls(scale, round(-low / scale)) if scale > 0 else cls(1.0, 0)


def calibrated(
    network: GraphNetwork, values: Iterable[Value], images: torch.Tensor, percentile: float
) -> dict[Value, Range]:
    """The range of each value for these images.

    Args:
        images: Normalised, (images, channels, height, width).
        percentile: So much of the numbers a range has, and leaves out as many at both ends; 100
            has all.
    """
    wanted = frozenset(values)
    extents = _extents(network, wanted, images)
    if percentile < 100:
        extents = _without_ends(network, extents, images, 1 - percentile / 100)
    return {value: Range.of(*extent) for value, extent in extents.items()}


@torch.no_grad()
def _seen(
    network: GraphNetwork, wanted: frozenset[Value], images: torch.Tensor
) -> Iterator[tuple[Value, torch.Tensor]]:
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH]
        for value, tensor in network.graph.computed(batch, network.weights):
            if value in wanted:
                yield value, tensor


def _extents(
    network: GraphNetwork, wanted: frozenset[Value], images: torch.Tensor
) -> dict[Value, Extent]:
    found: dict[Value, Extent] = {}
    for value, tensor in _seen(network, wanted, images):
        low, high = (float(end) for end in tensor.aminmax())
        before = found.get(value, (low, high))
        found[value] = (min(low, before[0]), max(high, before[1]))
    return found


def _without_ends(
    network: GraphNetwork, extents: dict[Value, Extent], images: torch.Tensor, outside: float
) -> dict[Value, Extent]:
    """The same without a share of the numbers, half of it at each end."""
    counts = {value: torch.zeros(BINS) for value in extents}
    for value, tensor in _seen(network, frozenset(extents), images):
        low, high = extents[value]
        counts[value] += torch.histc(tensor.float().cpu(), BINS, low, high)
    return {value: _cut(extents[value], counts[value], outside / 2) for value in extents}


def _cut(extent: Extent, counts: torch.Tensor, outside: float) -> Extent:
    low, high = extent
    shares = counts.cumsum(0) / counts.sum()
    first = int((shares <= outside).sum())
    last = int((shares < 1 - outside).sum())
    width = (high - low) / BINS
    return low + first * width, low + (last + 1) * width
