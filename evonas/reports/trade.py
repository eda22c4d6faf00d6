"""What another design has more and less of, in a sentence."""

from collections.abc import Mapping, Sequence

from evonas.evaluation.measures import MEASURES
from evonas.evaluation.objectives import Objective
from evonas.reports.format import measure


def told_trade(
    number: int,
    objectives: Sequence[Objective],
    differences: Mapping[str, float],
    margins: Mapping[str, float],
) -> str:
    """What another design has, as in `0.4 points more accuracy for 0.6 ms more latency_ms`.

    Args:
        differences: Of its objectives from those of a design that does not dominate it, nor is
            dominated.
        margins: By how much they differ by luck.
    """
    gains = [o for o in objectives if o.fitness(differences[o.name]) > 0]
    losses = [o for o in objectives if o.fitness(differences[o.name]) < 0]
    has = " and ".join(_amount(own, differences[own.name]) for own in gains)
    costs = " and ".join(_amount(own, differences[own.name]) for own in losses)
    is_luck = all(abs(differences[o.name]) <= margins[o.name] for o in losses)
    luck = ", which is within the noise" if is_luck else ""
    return f"Trial {number} has {has} for {costs}{luck}."


def _amount(objective: Objective, difference: float) -> str:
    """`0.4 points more accuracy`: of what lies between 0 and 1, points are hundredths."""
    known = MEASURES.get(objective.name)
    is_share = known is not None and known.bounds == (0, 1)
    size = abs(difference)
    points = f"{100 * size:.2g}"
    of_share = f"{points} {'point' if points == '1' else 'points'}"
    shown = of_share if is_share else measure(objective.name, float(f"{size:.2g}"))
    return f"{shown} {'more' if difference > 0 else 'less'} {objective.name}"
