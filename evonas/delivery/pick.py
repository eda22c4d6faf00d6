"""Which design of a run the words mean, why that one, and what others would cost."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evonas import pareto
from evonas.errors import ExportError
from evonas.evaluation.constraints import violations
from evonas.reports.trade import told_trade
from evonas.runs.run import Run
from evonas.settings import parse_limits
from evonas.trial import Outcome, Trial


@dataclass(frozen=True)
class Pick:
    """A design of a run.

    `why`: which rule chose it, in words; empty if it was named. `others`: its neighbours on the
    front, the next better one in the first objective and the next worse one: `number`,
    `differences` of its objectives from those of this design, and `told`, the same in a sentence.
    """

    trial: Trial
    outcome: Outcome
    why: str
    others: Sequence[Mapping[str, Any]] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values of why and what else there is."""
        return {"why": self.why, "others": [dict(other) for other in self.others]}


def picked(run: Run, pick: str, where: str | None = None) -> Pick:
    """The trial that the words mean.

    Raises:
        ExportError: No design is complete, or none is within the limits.
    """
    if pick.isdigit():
        trial, outcome = run.pair(int(pick))
        if outcome.status != "complete":
            raise ExportError(f"Trial {pick} is {outcome.status}, so there is nothing to export.")
        return Pick(trial, outcome, "")
    if pick not in RULES:
        *most, last = RULES
        known = f"{', '.join(most)}, {last} or a trial's number"
        raise ExportError(f'"{pick}" picks nothing. Write {known}.')
    whole = _front(run, where)
    front = run.noise.apart(whole)
    number, why = RULES[pick](run, front, whole)
    return Pick(*run.pair(number), why, [*_others(run, number, front)])


def front_within(run: Run, where: str | None = None) -> list[int]:
    """Designs that none within the limits dominates and that can be told apart, by number.

    Raises:
        ExportError: No design is complete, or none is within the limits.
    """
    return run.noise.apart(_front(run, where))


def _front(run: Run, where: str | None) -> list[int]:
    """The front of the designs within the limits, best in the first objective first."""
    limits = parse_limits(where, "--where")
    records = run.records
    numbers = [n for n in records.candidates if not violations(records.measures(n), limits)]
    if not numbers:
        within = f" within {where}" if where else ""
        raise ExportError(f"Run {run.name} has no complete design{within}.")
    fitness = records.fitness_matrix(numbers)
    front = pareto.front(fitness)
    return [numbers[member] for member in front[(-fitness[front, 0]).argsort(kind="stable")]]


def _knee(run: Run, front: Sequence[int], whole: Sequence[int]) -> tuple[int, str]:
    number = run.noise.knee(front)
    if number is not None:
        return number, f"the knee of a front of {len(front)} designs"
    if len(front) == 1:
        return front[0], "the only design on the front"
    why = "which has no knee that noise could not make" if len(front) > 2 else "which has no knee"
    best = f"the best by {run.records.objectives[0].name}"
    return front[0], f"{best} of a front of {len(front)} designs, {why}"


def _best(run: Run, front: Sequence[int], whole: Sequence[int]) -> tuple[int, str]:
    return whole[0], f"the best by {run.records.objectives[0].name}"


def _balanced(run: Run, front: Sequence[int], whole: Sequence[int]) -> tuple[int, str]:
    number = front[pareto.balanced(run.records.fitness_matrix(front))]
    return number, f"the most balanced of a front of {len(front)} designs"


Rule = Callable[[Run, Sequence[int], Sequence[int]], tuple[int, str]]

# Of a run, the members of its front that can be told apart, and all of them: a number, and why.
RULES: Mapping[str, Rule] = {"knee": _knee, "best": _best, "balanced": _balanced}


def _others(run: Run, number: int, front: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The neighbours of a trial on the front, the better one in the first objective first."""
    records, noise = run.records, run.noise
    row = [*dict.fromkeys([number, *front])]
    fitness = records.fitness_matrix(row)
    row = [row[place] for place in (-fitness[:, 0]).argsort(kind="stable")]
    place = row.index(number)
    here = records.measures(number)
    for other in (*row[max(0, place - 1) : place], *row[place + 1 : place + 2]):
        there = records.measures(other)
        names = [objective.name for objective in records.objectives]
        differences = {name: there[name] - here[name] for name in names}
        margins = noise.margins(number, other)
        told = told_trade(other, records.objectives, differences, margins)
        yield {"number": other, "differences": differences, "told": told}
