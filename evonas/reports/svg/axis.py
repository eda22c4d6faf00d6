"""From values to px, and the round values that are written beside an axis."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

STEPS = (1, 2, 5, 10)
TICK_PX = 34.0  # that ticks are apart at least, about
MOST_TICKS = 7
NEAR_ENOUGH = 1e-9  # of a step: what rounding leaves


@dataclass(frozen=True)
class Axis:
    """A range of values, drawn from `start` to `end` px.

    `ticks` are the values that are written beside it. Of a logarithmic axis all are positive.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    is_log: bool = False

    def at(self, value: float) -> float:
        """The px of a value."""
        low, high, value = (
            math.log(each) if self.is_log else each for each in (self.low, self.high, value)
        )
        return self.start + (value - low) / (high - low) * (self.end - self.start)


def linear_axis(values: Iterable[float], start: float, end: float) -> Axis:
    """An axis that holds all values and ends at round ones."""
    low, high = _spread(values)
    step = _round_step((high - low) / min(MOST_TICKS, max(1, abs(end - start) / TICK_PX)))
    first = math.floor(low / step + NEAR_ENOUGH)
    last = math.ceil(high / step - NEAR_ENOUGH)
    ticks = tuple(step * number for number in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], start, end, ticks)


def tight_axis(values: Iterable[float], start: float, end: float, smallest_step: float = 0) -> Axis:
    """An axis that ends at the lowest and the highest value, with ticks at round ones.

    Args:
        smallest_step: Between ticks; 1 where values are counts.
    """
    low, high = _spread(values)
    step = max(_round_step((high - low) / MOST_TICKS), smallest_step)
    first = math.ceil(low / step - NEAR_ENOUGH)
    last = math.floor(high / step + NEAR_ENOUGH)
    return Axis(low, high, start, end, tuple(step * n for n in range(first, last + 1)))


def log_axis(values: Iterable[float], start: float, end: float) -> Axis:
    """A logarithmic axis that holds all values, which are positive, and ends at round ones."""
    values = [*values]
    low, high = min(values), max(values)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    marks = [step * 10.0**power for power in range(first, last + 1) for step in STEPS[:-1]]
    below = max(mark for mark in marks if mark <= low * (1 + NEAR_ENOUGH))
    above = min(mark for mark in marks if mark >= high * (1 - NEAR_ENOUGH) and mark > below)
    ticks = [mark for mark in marks if below <= mark <= above]
    if len(ticks) > MOST_TICKS:
        ticks = [10.0**power for power in range(first, last + 1) if below <= 10.0**power <= above]
    return Axis(below, above, start, end, tuple(ticks), is_log=True)


def _spread(values: Iterable[float]) -> tuple[float, float]:
    """The lowest and the highest value; a little around them if they are equal."""
    values = [*values]
    low, high = min(values), max(values)
    if high - low > NEAR_ENOUGH * max(abs(low), abs(high)):
        return low, high
    around = abs(low) / 2 or 1.0
    return low - around, high + around


def _round_step(at_least: float) -> float:
    """1, 2 or 5 times a power of ten.

    >>> [_round_step(value) for value in (0.7, 1.2, 3, 60)]
    [1.0, 2.0, 5.0, 100.0]
    """
    power = 10.0 ** math.floor(math.log10(at_least))
    return next(step * power for step in STEPS if step * power >= at_least * (1 - NEAR_ENOUGH))


def tick_label(value: float) -> str:
    """A tick's value in few characters.

    >>> [tick_label(value) for value in (0.30000000000000004, 20.0, 1e-05, 2500000.0)]
    ['0.3', '20', '1e-5', '2.5e6']
    """
    text = f"{value:.6g}" if 1e-4 <= abs(value) < 1e6 or not value else f"{value:.3g}"
    if "e" not in text:
        return text
    digits, power = text.split("e")
    return f"{digits}e{int(power)}"
