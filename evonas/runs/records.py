"""All trials of a run in memory, and what follows from them: front, best, hypervolume, counts."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from evonas.evaluation import Objective, violations
from evonas.evolution import pareto
from evonas.settings import Limits
from evonas.trial import Finished, History, Outcome, Trial

TOP_KEPT = 10  # weights kept beside those of the front: the best of the first objective
REFERENCE_TRIALS = 12  # complete trials that fix the reference point


class Records:
    """Grows with each proposal and each outcome; everything else is derived."""

    def __init__(self, objectives: Sequence[Objective], constraints: Mapping[str, Limits]) -> None:
        self.objectives = tuple(objectives)
        self.constraints = constraints
        self.trials: dict[int, Trial] = {}
        self.outcomes: dict[int, Outcome] = {}  # in the order they finished
        self.seen: dict[int, int] = {}
        self.reference_point: tuple[float, ...] | None = None  # in measures' own units

    def add_trial(self, trial: Trial, seen: int) -> None:
        """A proposal, and how many finished events it had seen."""
        self.trials[trial.number] = trial
        self.seen[trial.number] = seen

    def add_outcome(self, outcome: Outcome) -> None:
        """What came of a trial."""
        assert outcome.number not in self.outcomes, "a trial has one outcome"
        self.outcomes[outcome.number] = outcome

    @property
    def next_number(self) -> int:
        """The number of the next proposal."""
        return max(self.trials, default=-1) + 1

    @property
    def unfinished(self) -> list[Trial]:
        """Trials without an outcome, by number."""
        return [
            trial for number, trial in sorted(self.trials.items()) if number not in self.outcomes
        ]

    @property
    def evaluations(self) -> int:
        """Finished trials that count against the budget."""
        return sum(not outcome.is_free for outcome in self.outcomes.values())

    def fitness(self, outcome: Outcome) -> tuple[float, ...] | None:
        """Larger-is-better values of a complete, feasible trial; None for any other."""
        if outcome.status != "complete" or violations(outcome.measures, self.constraints):
            return None
        return tuple(o.fitness(outcome.measures[o.name]) for o in self.objectives)

    def history(self, events: int | None = None) -> History:
        """What an evolver sees after so many finished events (all if None), in their order.

        Trials proposed by then and not finished are in flight.
        """
        outcomes = list(self.outcomes.values())[:events]
        done = {outcome.number for outcome in outcomes}
        in_flight = {n: trial.chromosome for n, trial in self.trials.items() if n not in done}
        return History(self._finished(outcomes), in_flight)

    def history_before(self, number: int) -> History:
        """What a generation that starts at `number` sees: all trials before it, by number."""
        return History(self._finished([self.outcomes[n] for n in range(number)]))

    def _finished(self, outcomes: Sequence[Outcome]) -> tuple[Finished, ...]:
        return tuple(
            Finished(o.number, self.trials[o.number].chromosome, self.fitness(o)) for o in outcomes
        )

    @property
    def feasible(self) -> list[int]:
        """Numbers of complete trials that break no constraint, in the order they finished."""
        return [n for n, outcome in self.outcomes.items() if self.fitness(outcome) is not None]

    def fitness_matrix(self, numbers: Sequence[int]) -> pareto.Fitness:
        """(trials, objectives) of larger-is-better values."""
        rows = [self.fitness(self.outcomes[number]) for number in numbers]
        return np.array(rows, dtype=float).reshape(len(rows), len(self.objectives))

    @property
    def front(self) -> list[int]:
        """Numbers of the non-dominated trials, best in the first objective first."""
        numbers = self.feasible
        matrix = self.fitness_matrix(numbers)
        chosen = pareto.front(matrix)
        order = np.lexsort((chosen, -matrix[chosen, 0]))
        return [numbers[chosen[index]] for index in order]

    @property
    def best(self) -> int | None:
        """The best of the first objective among feasible trials; of equal ones the first."""
        numbers = self.feasible
        if not numbers:
            return None
        return numbers[int(self.fitness_matrix(numbers)[:, 0].argmax())]

    def worth_keeping(self) -> set[int]:
        """Trials whose weights stay: of the front and of the best, or those they took over."""
        numbers = self.feasible
        first = -self.fitness_matrix(numbers)[:, 0]
        best = [numbers[index] for index in first.argsort(kind="stable")[:TOP_KEPT]]
        kept = {*self.front, *best}
        sources = {self.outcomes[number].source for number in kept}
        return kept | {source for source in sources if source is not None}

    @property
    def knee(self) -> int | None:
        """The member of the front that gives up least of everything (see `pareto.knee`)."""
        front = self.front
        return front[pareto.knee(self.fitness_matrix(front))] if front else None

    def freeze_reference_point(self, given: Mapping[str, float], by_number: bool = False) -> bool:
        """Fixes the reference point once enough trials are complete; True if it did.

        It is the worst value of each objective among the first complete trials, unless given:
        the first to finish, or by number, so that it does not depend on which worker was faster.
        """
        numbers = self._feasible_prefix() if by_number else self.feasible
        missing = [o for o in self.objectives if o.name not in given]
        if self.reference_point is not None or (missing and len(numbers) < REFERENCE_TRIALS):
            return False
        worst = self.fitness_matrix(numbers[:REFERENCE_TRIALS]).min(0, initial=np.inf)
        self.reference_point = tuple(
            float(given.get(o.name, o.fitness(float(value))))  # fitness is its own inverse
            for o, value in zip(self.objectives, worst, strict=True)
        )
        return True

    def _feasible_prefix(self) -> list[int]:
        """Feasible trials by number, up to the first that is not finished."""
        end = next(number for number in itertools.count() if number not in self.outcomes)
        return [number for number in sorted(self.feasible) if number < end]

    @property
    def hypervolume(self) -> float | None:
        """Of the front over the reference point; None until that is fixed."""
        if self.reference_point is None:
            return None
        pairs = zip(self.objectives, self.reference_point, strict=True)
        reference = np.array([objective.fitness(value) for objective, value in pairs])
        return pareto.hypervolume(self.fitness_matrix(self.feasible), reference)

    def counts(self) -> dict[str, int]:
        """Trials by what became of them; `cached` ones took their training from another."""
        counts = dict.fromkeys(
            ("complete", "failed", "infeasible", "pruned", "cached", "running"), 0
        )
        for outcome in self.outcomes.values():
            counts["cached" if outcome.source is not None else outcome.status] += 1
        counts["running"] = len(self.trials) - len(self.outcomes)
        return counts
