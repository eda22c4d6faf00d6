"""By how much the figures of designs may be off, and which designs they tell apart.

A design that is right on one image more, and takes longer, owes its place on the front to luck with
that image. So of two designs that differ by less than both may be off, in whatever one of them is
better, people are shown the other one. A search goes on by the figures as they are.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evonas import pareto
from evonas.evaluation.measures import LATENCIES, before, derivation
from evonas.evaluation.objectives import derived_measures
from evonas.pareto import Fitness
from evonas.runs.records import Records
from evonas.settings import Settings
from evonas.tasks import TASKS
from evonas.tasks.task import LOSS

# Of a latency, beside what its own turns tell: two measurements of one network differ by 1.1 to
# 1.8 % in the median (experiments/records/latency_scales.json, latency_repeatability.json), that
# is by a deviation of 1.1 to 1.9 % each: where the network's memory lies changes its speed.
LOADED_ANEW = 0.015
# Of average precisions, where nothing was trained again: trainings of one detector differed by
# deviations of 0.004 to 0.006 (experiments/records/detection_recipes.json), on more images than
# most searches validate by.
OF_PRECISIONS = 0.01
IN_A_SPREAD = 1.96  # standard errors in `Latency.spread`, half of a 95 % interval
TINY = 1e-9  # of a range: what counts for the error of a figure that has none


@dataclass(frozen=True)
class Noise:
    """Standard errors of what a run measured.

    `images`: those that accuracies are of; None where a run does not say.
    """

    records: Records
    settings: Settings
    images: int | None

    def error(self, name: str, number: int) -> float:
        """Of a measure of a finished trial's design, in its unit; 0 of what has none.

        Of designs that were trained again it is the deviation of such trainings, pooled over all
        of them, by the root of their count. Images are mostly the same for all designs then, so
        what their choice does to one it does to the others.
        """
        confirmed, deviation = self.records.confirmed.get(number), self._deviations.get(name)
        if confirmed is not None and confirmed.count and deviation is not None:
            return deviation * self._unit(name, number) / math.sqrt(confirmed.count)
        if not self.settings.evaluator.trains:
            return 0.0
        if derivation(name) is not None:
            return self._derived(name, number)
        error = ERRORS.get(name)
        value = self.records.measures(number).get(name)
        return 0.0 if error is None or value is None else error(self, number, value)

    def errors(self, numbers: Sequence[int]) -> Fitness:
        """(trials, objectives)."""
        names = [objective.name for objective in self.records.objectives]
        rows = [[self.error(name, number) for name in names] for number in numbers]
        return np.array(rows, dtype=float).reshape(len(rows), len(names))

    def margins(self, number: int, other: int) -> dict[str, float]:
        """By how much the objectives of two trials may differ by luck: a standard error."""
        names = [objective.name for objective in self.records.objectives]
        return {n: math.hypot(self.error(n, number), self.error(n, other)) for n in names}

    def stand_ins(self, front: Sequence[int]) -> dict[int, int]:
        """The members of a front that cannot be told from another, each with that one."""
        fitness, errors = self.records.fitness_matrix(front), self.errors(front)
        found = stand_ins(fitness, errors)
        return {front[member]: front[other] for member, other in found.items()}

    def apart(self, front: Sequence[int]) -> list[int]:
        """The members of a front that can be told from each other."""
        alike = self.stand_ins(front)
        return [number for number in front if number not in alike]

    def knee(self, front: Sequence[int]) -> int | None:
        """The member of a front that gives up least of everything, if there is one (see `knee`)."""
        member = knee(self.records.fitness_matrix(front), self.errors(front))
        return None if member is None else front[member]

    @cached_property
    def _deviations(self) -> dict[str, float]:
        """By measure, pooled over the designs that were trained again more than once.

        Those of latencies are shares of the latency.
        """
        squares: dict[str, float] = {}
        degrees: dict[str, int] = {}
        for number, own in self.records.confirmed.items():
            for name, deviation in own.deviations.items():
                share = deviation / self._unit(name, number)
                squares[name] = squares.get(name, 0.0) + (own.count - 1) * share**2
                degrees[name] = degrees.get(name, 0) + own.count - 1
        return {name: math.sqrt(total / degrees[name]) for name, total in squares.items()}

    def _unit(self, name: str, number: int) -> float:
        return self.records.measures(number)[name] if name in LATENCIES else 1.0

    def _derived(self, name: str, number: int) -> float:
        """By what the measure changes if those that it is computed from are off by their errors."""
        measures = dict(self.records.measures(number))
        changes = []
        for need in measures.keys() & {*_needs(name)}:
            moved = measures | {need: measures[need] + self.error(need, number)}
            one, other = (
                derived_measures([name], each, self.settings) for each in (measures, moved)
            )
            if name in one and name in other:
                changes.append(other[name] - one[name])
        return math.hypot(*changes)


def _needs(name: str) -> tuple[str, ...]:
    computed = derivation(name)
    return () if computed is None else computed.needs


def _of_images(noise: Noise, number: int, value: float) -> float:
    """Of a share of images: binomial, by Agresti and Coull (1998), that of all right is not 0."""
    if noise.images is None:
        return 0.0
    count = noise.images + 4
    share = (value * noise.images + 2) / count
    return math.sqrt(share * (1 - share) / count)


def _of_clock(noise: Noise, number: int, value: float) -> float:
    """Of a latency: what its turns tell, or were to be repeated until, and what they cannot."""
    details = noise.records.outcomes[number].details.get("latency", {})
    spread = details.get("spread", noise.settings.latency.spread)
    return value * math.hypot(spread / IN_A_SPREAD, LOADED_ANEW)


def _of_boxes(noise: Noise, number: int, value: float) -> float:
    return OF_PRECISIONS


def _scores(task: str) -> list[str]:
    own = TASKS[task]
    return [*(name for name in own.measures if name != LOSS), before(own)]


# Of a trial and what was measured of it; other measures are counts, or nothing is known of them.
ERRORS: Mapping[str, Callable[[Noise, int, float], float]] = {
    **dict.fromkeys(_scores("classification"), _of_images),
    **dict.fromkeys(_scores("detection"), _of_boxes),
    **dict.fromkeys(LATENCIES, _of_clock),
}


def stand_ins(fitness: Fitness, errors: Fitness) -> dict[int, int]:
    """The members of a front that cannot be told from a better one, each with that one.

    One stands in for another if it is nowhere worse by more than a standard error of the
    difference. Those that are better by more of these in all objectives together come first,
    so that nobody's stand-in has one of its own.

    Args:
        fitness: (members, objectives), larger is better; none dominates another.
        errors: Of the same, 0 where a difference of any size is one.

    >>> stand_ins(np.array([[0.93, -3], [0.92, -2], [0.8, -1]]), np.full((3, 2), [0.01, 0]))
    {0: 1}
    """
    kept: list[int] = []
    found: dict[int, int] = {}
    for member in _best_first(fitness, errors):
        margins = np.hypot(errors[kept], errors[member])
        is_like = (fitness[member] - fitness[kept] <= margins).all(1)
        if is_like.any():
            found[int(member)] = kept[int(is_like.argmax())]
        else:
            kept.append(int(member))
    return found


def _best_first(fitness: Fitness, errors: Fitness) -> list[int]:
    """Members by the sum of their objectives, in the errors that these mostly have."""
    if not len(fitness):
        return []
    span = np.ptp(fitness, axis=0)
    usual = np.maximum(np.median(errors, axis=0), TINY * span)
    merits = (fitness / np.where(usual > 0, usual, 1.0)).sum(1)
    return [int(member) for member in np.argsort(-merits, kind="stable")]


def knee(fitness: Fitness, errors: Fitness) -> int | None:
    """Index of the front's member farthest above the line (plane) through the front's ends.

    None if no member lies above that by more than its height may be off: fronts of fewer than
    three members, straight ones, and those that only luck bends.

    Args:
        fitness: (members, objectives), larger is better; none dominates another.
        errors: Of the same.
    """
    if len(fitness) < 3:
        return None
    member, span = pareto.knee(fitness), np.ptp(fitness, axis=0)
    span = np.where(span > 0, span, np.inf)
    height = ((fitness[member] - fitness.min(0)) / span).sum() - 1
    return member if height > math.hypot(*(errors[member] / span)) else None
