"""All trials of a run in memory, and what follows from them: front, best, hypervolume, counts."""

import bisect
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from evonas import pareto
from evonas.evaluation.constraints import excess, violations
from evonas.evaluation.measures import is_trained
from evonas.evaluation.objectives import Objective
from evonas.runs.archive import Archive
from evonas.runs.confirmed import Confirmed, confirmed_of
from evonas.runs.histories import Histories
from evonas.runs.hypervolume import Fitness, Hypervolume
from evonas.settings import Limits
from evonas.trial import Chromosome, Finished, History, Outcome, Trial

TOP_KEPT = 10  # weights kept beside those of the front: the best of the first objective
REFERENCE_TRIALS = 12  # complete trials that fix the reference point
COUNTED = ("complete", "failed", "infeasible", "filtered", "pruned", "cached", "running")


class Records:
    """Grows with each proposal and each outcome; what follows from them is kept up to date.

    No step takes longer because the run is longer: at most as long as the front is.
    """

    def __init__(self, objectives: Sequence[Objective], constraints: Mapping[str, Limits]) -> None:
        self.objectives = tuple(objectives)
        self.constraints = constraints
        # A short training need not keep limits on what a training gives.
        self._early = {name: own for name, own in constraints.items() if not is_trained(name)}
        self.trials: dict[int, Trial] = {}
        self.outcomes: dict[int, Outcome] = {}  # in the order they finished
        self.seen: dict[int, int] = {}
        self.next_number = 0  # of the next proposal
        self.evaluations = 0  # finished trials that count against the budget: no promotions
        self.promotions = 0  # finished ones
        self.promoted: dict[int, int] = {}  # trials, and those that continue them
        self.confirmations: dict[int, list[int]] = {}  # trials, and those that confirm them
        self.confirmed: dict[int, Confirmed] = {}  # trials of which such a one has finished
        self.pruned: dict[int, list[int]] = {}  # feasible so far, by rung, as they finished
        self.feasible: list[int] = []  # complete, no constraint broken; in the order they finished
        self.histories = Histories()
        self._past: dict[int, Finished] = {}
        self._places: dict[int, int] = {}  # of the finished, in the order they finished
        self._unfinished: dict[int, Trial] = {}
        self._designs: set[Chromosome] = set()
        self._archive = Archive(len(self.objectives))
        self.volume = Hypervolume(self.objectives, self._archive)
        self._top: list[tuple[float, int, int]] = []  # -first objective, place, number
        self._counts = dict.fromkeys(COUNTED, 0)

    def add_trial(self, trial: Trial, seen: int) -> None:
        """A proposal, and how many finished events it had seen."""
        self.trials[trial.number] = trial
        self.seen[trial.number] = seen
        self._designs.add(trial.chromosome)
        self.histories.add_trial(trial)
        if trial.confirms is not None:
            self.confirmations.setdefault(trial.confirms, []).append(trial.number)
        if trial.continues is not None:
            self.promoted[trial.continues] = trial.number
            self._count(trial.continues, -1)
        self._unfinished[trial.number] = trial
        self.next_number = max(self.next_number, trial.number + 1)

    def add_outcome(self, outcome: Outcome) -> None:
        """What came of a trial."""
        number = outcome.number
        assert number not in self.outcomes, "a trial has one outcome"
        self.outcomes[number] = outcome
        self._past[number] = past = self._seen(outcome)
        self._places[number] = len(self._places)
        self.histories.add(past)
        if not outcome.is_free:
            self.evaluations += past.continues is None
            self.promotions += past.continues is not None
        if number not in self.promoted:
            self._count(number, 1)
        del self._unfinished[number]
        if not self._unfinished:
            self._unfinished.clear()  # or it would stay as large as it once was
        confirms = self.trials[number].confirms
        if confirms is not None:
            finished = (self.outcomes.get(own) for own in self.confirmations[confirms])
            self.confirmed[confirms] = confirmed_of(confirms, [own for own in finished if own])
        elif past.fitness is not None:
            if outcome.status == "complete":
                self._add_feasible(number, past.fitness)
            else:
                self.pruned.setdefault(past.rung, []).append(number)

    def _seen(self, outcome: Outcome) -> Finished:
        """The outcome as an evolver sees it."""
        trial, measures = self.trials[outcome.number], outcome.measures
        is_early = (
            outcome.status in ("pruned", "filtered")
            and self._early.keys() != self.constraints.keys()
        )
        return Finished(
            trial.number,
            trial.chromosome,
            self.fitness(outcome),
            None if is_early else excess({**outcome.notes.foretold, **measures}, self.constraints),
            trial.rung,
            trial.continues,
        )

    def _count(self, number: int, by: int) -> None:
        """Counts a finished trial, or no longer; of a design only its last trial counts."""
        outcome = self.outcomes.get(number)
        if outcome is not None:
            self._counts["cached" if outcome.source is not None else outcome.status] += by

    def _add_feasible(self, number: int, fitness: Fitness) -> None:
        bisect.insort(self._top, (-fitness[0], len(self.feasible), number))
        del self._top[TOP_KEPT:]
        self.feasible.append(number)
        if self._archive.add(number, fitness):
            self.volume.entered(fitness, self.evaluations)

    @property
    def begun(self) -> int:
        """How many designs were proposed: trials that are neither promotions nor confirmations."""
        return self.histories.begun

    @property
    def designs(self) -> int:
        """How many different designs were proposed: chromosomes are canonical."""
        return len(self._designs)

    @property
    def unfinished(self) -> list[Trial]:
        """Trials without an outcome, by number."""
        return [trial for _, trial in sorted(self._unfinished.items())]

    def fitness(self, outcome: Outcome) -> Fitness | None:
        """Larger-is-better values of a complete, feasible trial, or a short one; else None."""
        limits = self._early if outcome.status == "pruned" else self.constraints
        if outcome.status not in ("complete", "pruned"):
            return None
        return self._rated(outcome.measures, limits)

    def _rated(self, measures: Mapping[str, float], limits: Mapping[str, Limits]) -> Fitness | None:
        if violations(measures, limits) or any(o.name not in measures for o in self.objectives):
            return None
        return tuple(o.fitness(measures[o.name]) for o in self.objectives)

    def had_finished_before(self, number: int, other: int) -> bool:
        """True if the other trial had finished when this one was proposed."""
        return self._places.get(other, self.seen[number]) < self.seen[number]

    def last_trial_of_design(self, number: int) -> int:
        """The last trial of this one's design that was measured."""
        further = self.promoted.get(number)
        if further is None or further not in self._past or self._past[further].fitness is None:
            return number
        return self.last_trial_of_design(further)

    def trained_by(self, number: int) -> int:
        """The trial whose training this finished one shares, and its weights: mostly itself."""
        source = self.outcomes[number].source
        return number if source is None else source

    def first_trained(self, number: int) -> int:
        """The trial that first had the training of this finished one: mostly itself."""
        owner = self.trained_by(number)
        first = self.outcomes[owner].notes.training_of
        return owner if first is None else first

    def since(self, event: int) -> Iterator[Outcome]:
        """The outcomes from this event on, in the order they finished; the first event is 0."""
        for number in self.histories.order[event:]:
            yield self.outcomes[number]

    def history(self, events: int | None = None) -> History:
        """What an evolver sees after so many finished events (all if None), in their order.

        Trials proposed by now and not finished then are in flight. All histories share one list.
        """
        return self.histories.by_finish(events)

    def measures(self, number: int) -> Mapping[str, float]:
        """What a finished trial's design gives: means where it is confirmed, else as observed."""
        observed = self.outcomes[number].measures
        confirmed = self.confirmed.get(number)
        return observed if confirmed is None else {**observed, **confirmed.means}

    def fitness_matrix(self, numbers: Sequence[int]) -> pareto.Fitness:
        """(trials, objectives) of larger-is-better values of `measures`; all have been feasible."""
        matrix = self.observed_matrix(numbers)
        for row, number in enumerate(numbers):
            if number in self.confirmed:
                matrix[row] = self._rated(self.measures(number), {})
        return matrix

    def finished(self, numbers: Sequence[int]) -> list[Finished]:
        """These finished trials as an evolver sees them."""
        return [self._past[number] for number in numbers]

    def observed_matrix(self, numbers: Sequence[int]) -> pareto.Fitness:
        """The same as the search observed them."""
        rows = [self._past[number].fitness for number in numbers]
        return np.array(rows, dtype=float).reshape(len(rows), len(self.objectives))

    @property
    def candidates(self) -> list[int]:
        """The trials among which winners are: the feasible ones, or of these the confirmed.

        A design of which a training failed comes after all others: it is a candidate only if each
        of them had a failure. One of which all failed, or that breaks a constraint in the mean,
        is none; if that leaves nobody, those are that were not trained again.
        """
        if not self.confirmed:
            return self.feasible
        stand = [
            own
            for number, own in self.confirmed.items()
            if own.count and self._rated(self.measures(number), self.constraints)
        ]
        sound = [own.number for own in stand if not own.failed]
        left = [number for number in self.feasible if number not in self.confirmed]
        return sound or [own.number for own in stand] or left

    @property
    def front(self) -> list[int]:
        """Numbers of the non-dominated candidates, best in the first objective first."""
        if not self.confirmed:
            return self.observed_front
        numbers = self.candidates
        fitness = self.fitness_matrix(numbers)
        members = pareto.front(fitness)
        return [numbers[m] for m in members[(-fitness[members, 0]).argsort(kind="stable")]]

    @property
    def observed_front(self) -> list[int]:
        """The front of all designs as the search observed them."""
        return self._archive.numbers

    @property
    def best(self) -> int | None:
        """The best of the first objective; of equal ones that of the front."""
        return next(iter(self.front), None)

    def worth_keeping(self) -> set[int]:
        """Trials whose weights stay: of the front and of the best, or those they took over."""
        kept = {*self.front, *self.observed_front, *(number for _, _, number in self._top)}
        return kept | {self.trained_by(number) for number in kept}

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
        if self.volume.reference_point is not None:
            return False
        numbers, first_unfinished = self.feasible, self.histories.first_unfinished
        if by_number:
            numbers = sorted(number for number in numbers if number < first_unfinished)
        missing = [o for o in self.objectives if o.name not in given]
        if missing and len(numbers) < REFERENCE_TRIALS:
            return False
        worst = self.observed_matrix(numbers[:REFERENCE_TRIALS]).min(0, initial=np.inf)
        self.volume.reference_point = tuple(
            float(given.get(o.name, o.fitness(float(value))))  # fitness is its own inverse
            for o, value in zip(self.objectives, worst, strict=True)
        )
        return True

    @property
    def stagnant(self) -> int:
        """Evaluations since the hypervolume last grew; of one objective, since the best did.

        Until the reference point is fixed, whatever joins the front counts as growth. While
        designs are pruned and none is complete it is 0.
        """
        if self.pruned and not self.feasible:
            return 0
        return self.evaluations - self.volume.grown_at

    def counts(self) -> dict[str, int]:
        """Trials by what became of them; `cached` ones took their training from another."""
        return {**self._counts, "running": len(self.trials) - len(self.outcomes)}
