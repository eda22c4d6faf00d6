"""Limits that measures have to keep."""

import math
from collections.abc import Mapping

from evonas.settings import Limits


def violations(measures: Mapping[str, float], constraints: Mapping[str, Limits]) -> list[str]:
    """What breaks a constraint, in words; measures not taken yet break none."""
    broken = []
    for name, limits in constraints.items():
        value = measures.get(name)
        if value is None:
            continue
        if limits.min is not None and not value >= limits.min:
            broken.append(f"{name} is {value:.6g}, at least {limits.min:.6g} is asked")
        if limits.max is not None and not value <= limits.max:
            broken.append(f"{name} is {value:.6g}, at most {limits.max:.6g} is asked")
    return broken


def excess(measures: Mapping[str, float], constraints: Mapping[str, Limits]) -> float | None:
    """By how much the worst constraint is broken, relative to its limit; at most 0 if none is.

    None if no constrained measure is known. A limit nearer to 0 than 1e-12 counts as 1.
    """
    excesses = []
    for name, limits in constraints.items():
        value = measures.get(name, math.nan)
        if limits.min is not None:
            excesses.append((limits.min - value) / _size(limits.min))
        if limits.max is not None:
            excesses.append((value - limits.max) / _size(limits.max))
    return max((excess for excess in excesses if math.isfinite(excess)), default=None)


def _size(limit: float) -> float:
    return abs(limit) if abs(limit) > 1e-12 else 1.0


def is_within(measures: Mapping[str, float], limits: Mapping[str, Limits]) -> bool:
    """True if all limited measures are there and inside their limits."""
    return all(math.isfinite(measures.get(name, math.nan)) for name in limits) and not violations(
        measures, limits
    )
