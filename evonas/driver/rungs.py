"""Cheap trainings first: which designs are worth a longer one, and how they compare meanwhile.

Asynchronous successive halving (Li et al. 2018, arXiv 1810.05934, Algorithm 2): a design begins on
rung 0 and is trained again on the next, longer one if it is among the best of its rung. Nobody
waits for a rung to fill. An evolver's designs get better, so that most would be among the best of
those before them: no more go on than the rung's share (delayed promotions, as in Hyper-Tune: Li et
al. 2022, arXiv 2201.06834).
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np

from evonas.errors import SpaceError
from evonas.pareto import Fitness, best_first
from evonas.runs.records import Records
from evonas.settings import FidelitySettings, Settings
from evonas.space.search_space import SearchSpace
from evonas.trial import Finished, History, Outcome, Prefix, Trial

MOST_CHECKPOINTS = 30  # of trials that may be promoted yet; a missing one costs time only
LOOKS = 16  # at promotions, each time that a history doubles: enough, and learning is dear
MOST_LAST_TRIES = 3  # promotions to a design that is complete, where the budget gave none


def check_rungs(settings: Settings) -> Iterator[str]:
    """What is wrong with the rungs, in words."""
    fidelity = settings.fidelity
    if not fidelity.rungs:
        return
    shown = f"fidelity.rungs={','.join(map(str, fidelity.rungs))}"
    if len(fidelity.rungs) < 2 or any(low >= high for low, high in pairwise(fidelity.rungs)):
        yield f"{shown}: rungs must rise, and be two at least. Write as in 1,3,9."
    if fidelity.of != "epochs" and fidelity.rungs[-1] != 100:
        yield (
            f"{shown}: with fidelity.of={fidelity.of} rungs are percent, and the last one is the "
            "whole. Write as in 11,33,100."
        )
    if settings.schedule != "async":
        yield f"{shown} needs schedule=async, got schedule={settings.schedule}."
    if not settings.evaluator.trains:
        yield f"{shown} needs evaluator=train, got evaluator={settings.evaluator.name}."


def check_rung_genes(space: SearchSpace, fidelity: FidelitySettings) -> None:
    """Raises a SpaceError if a design says itself how long it is trained, and rungs do as well."""
    if fidelity.rungs and fidelity.of == "epochs" and "epochs" in space.template["training"]:
        raise SpaceError(
            f"{space.place(('training', 'epochs'))}: with fidelity.rungs the rungs say how long a "
            "design is trained. Leave epochs out of the space, or the rungs."
        )


class Rungs:
    """Watches the records of a run; without rungs in the settings nothing is promoted."""

    def __init__(self, records: Records, settings: FidelitySettings) -> None:
        self.records = records
        self.settings = settings
        self.top = max(0, len(settings.rungs) - 1)
        self._ranked: dict[int, list[int]] = {}

    def as_pruned_below_top(self, outcome: Outcome) -> Outcome:
        """Marks a complete outcome of a lower rung as `pruned`."""
        is_below = self.records.trials[outcome.number].rung < self.top
        if outcome.status == "complete" and is_below:
            return replace(outcome, status="pruned")
        return outcome

    def promotable(self) -> int | None:
        """The trial to promote next: the best of the highest rung that has more to give.

        That is one of which fewer than 1 / `reduction` have gone on. Trials that share a training
        are one in that. Once it has gone on, and ended, the others follow at no cost.
        """
        records = self.records
        for rung in self._downwards():
            trainings = {number: records.trained_by(number) for number in self._ranking(rung)}
            gone_on = {
                training: records.promoted[number] in records.outcomes
                for number, training in trainings.items()
                if number in records.promoted
            }
            due = math.floor(len(set(trainings.values())) / self.settings.reduction + 1e-9)
            for number, training in trainings.items():
                is_next = gone_on.get(training, len(gone_on) < due)
                if is_next and number not in records.promoted:
                    return number
        return None

    def last_try(self) -> int | None:
        """The trial to promote so that a search does not end without any complete design."""
        records = self.records
        failures = sum(
            outcome.status == "failed" and records.trials[number].continues is not None
            for number, outcome in records.outcomes.items()
        )
        if failures >= MOST_LAST_TRIES or any(
            outcome.status == "complete" for outcome in records.outcomes.values()
        ):
            return None
        left = (n for rung in self._downwards() for n in self._ranking(rung))
        return next((number for number in left if number not in records.promoted), None)

    def promotion(self, source: int) -> Trial:
        """The trial that trains the design of a finished one on the next rung.

        Its seed is that of the design's first training: from the weights of that or anew, its
        training gives the same.
        """
        records = self.records
        trial, first = records.trials[source], records.trials[records.first_trained(source)]
        return Trial(
            records.next_number,
            trial.chromosome,
            trial.blueprint,
            first.seed,
            (source,),
            "promotion",
            trial.rung + 1,
            source,
        )

    def worth_keeping(self) -> set[int]:
        """Trials whose weights a promotion may begin with before long."""
        left = [
            number
            for rung in self._downwards()
            for number in self._ranking(rung)[: math.ceil(len(self._ranking(rung)) / 2)]
            if number not in self.records.promoted
        ]
        return {self.records.trained_by(number) for number in left[:MOST_CHECKPOINTS]}

    def _downwards(self) -> range:
        """The rungs below the top, the highest first."""
        return range(self.top - 1, -1, -1)

    def _ranking(self, rung: int) -> list[int]:
        """The feasible trials finished there, best first: by rank, then by crowding distance."""
        members = self.records.pruned.get(rung, [])
        if len(self._ranked.get(rung, ())) != len(members):
            order = best_first(self.records.fitness_matrix(members))
            self._ranked[rung] = [members[place] for place in order]
        return self._ranked.get(rung, [])


class ExtrapolatedHistory:
    """`extrapolated`, into the same list for as long as that only grows (see `trial.Prefix`)."""

    def __init__(self) -> None:
        self._items: list[Finished] = []

    def __call__(self, history: History) -> History:
        """See `extrapolated`."""
        whole = extrapolated(history)
        if list(whole.finished[: len(self._items)]) != self._items:
            self._items = []
        self._items.extend(whole.finished[len(self._items) :])
        return History(Prefix(self._items), whole.in_flight)


def extrapolated(history: History) -> History:
    """The history as if every design had had one training, and all the same.

    A design has the place of its first trial, and number and fitness of its last. Fitness of a
    lower rung is moved by what the next one typically adds: the median over designs that have
    both. Promotions in flight are left out.

    Whoever learns from it learns anew when a value changes. So promotions are looked at together,
    several at a time in a long history, and at lengths of it that are fixed.
    """
    length = len(history.finished)
    step = 1 << max(0, (length // LOOKS).bit_length() - 1)
    looked_at = length - length % step
    designs: dict[int, list[Finished]] = {}  # by the number of the first trial
    first: dict[int, int] = {}
    for finished in history.finished[:looked_at]:
        before = finished.continues
        first[finished.number] = finished.number if before is None else first[before]
        designs.setdefault(first[finished.number], []).append(finished)
    missing = _missing(designs.values())
    level = [_moved(trials[-1], missing) for trials in designs.values()]
    new = (finished for finished in history.finished[looked_at:] if finished.continues is None)
    level += [_moved(finished, missing) for finished in new]
    taken = {finished.chromosome for finished in level}
    return History(level, {n: own for n, own in history.in_flight.items() if own not in taken})


def _missing(designs: Iterable[list[Finished]]) -> dict[int, Fitness]:
    """By rung, what its fitness lacks to that of the highest rung that was reached."""
    steps: dict[int, list[Fitness]] = {}
    for trials in designs:
        for low, high in pairwise(trials):
            if low.fitness is not None and high.fitness is not None:
                steps.setdefault(low.rung, []).append(np.subtract(high.fitness, low.fitness))
    missing: dict[int, Fitness] = {}
    for rung in sorted(steps, reverse=True):
        missing[rung] = np.median(steps[rung], axis=0) + missing.get(rung + 1, 0.0)
    return missing


def _moved(finished: Finished, missing: Mapping[int, Fitness]) -> Finished:
    if finished.fitness is None or finished.rung not in missing:
        return finished
    moved = np.add(finished.fitness, missing[finished.rung])
    return replace(finished, fitness=tuple(moved.tolist()))
