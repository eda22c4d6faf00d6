"""Numbers in the form that people read."""

from evonas.evaluation.measures import MEASURES
from evonas.evaluation.objectives import Objective


def number(value: float) -> str:
    """Four significant digits; thousands and millions by letter.

    >>> [number(v) for v in (0.98123, 12.3456, 4383312, 1500)]
    ['0.9812', '12.35', '4.383 M', '1.5 k']
    """
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.4g} {letter}"
    return f"{value:.4g}"


def measure(name: str, value: float) -> str:
    """A measure with its unit."""
    known = MEASURES.get(name)
    unit = f" {known.unit}" if known and known.unit else ""
    return f"{number(value)}{unit}"


def objective_value(objective: Objective, value: float) -> str:
    """`accuracy 0.981`, `latency_ms 2.31 ms`."""
    return f"{objective.name} {measure(objective.name, value)}"


def duration(seconds: float) -> str:
    """Seconds as `41 s`, `3 min 20 s` or `2 h 5 min`.

    >>> [duration(s) for s in (0.4, 41, 200, 7500)]
    ['0.4 s', '41 s', '3 min 20 s', '2 h 5 min']
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
