"""What an evolver has read of the history, so that it need not read it again.

A cache, never a state: what is in here follows from the history alone, and is built anew when
another history comes.
"""

import bisect
from collections.abc import Sequence
from typing import Any

import numpy as np

from evonas.pareto import Fitness, best_first
from evonas.trial import Chromosome, Finished, History


class Memory:
    """Everything finished, as far as the last history went.

    Args:
        size: Of the population, see `population`.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._begin(None)

    def _begin(self, source: Any) -> None:
        self._source = source
        self._read = 0
        self.taken: set[Chromosome] = set()
        self.usable: list[Finished] = []
        self.judged: list[Finished] = []
        self.infeasible: list[Finished] = []
        self.population: list[Finished] = []
        self.idle = 0

    def recall(self, history: History) -> "Memory":
        """Reads what is new in the history; all of it if it is not the one read before.

        Afterwards `taken` holds all finished chromosomes, `usable` the first finished trial of
        each design that has a fitness, and `population` the best of them: each newcomer takes the
        place of the worst by rank and crowding distance, (mu + 1) survival. `idle` counts how many
        have a fitness since one was better than all before, or new on the front. `judged` are those
        of which it is known how they keep the constraints, `infeasible` those of them that break
        one least.
        """
        source = getattr(history.finished, "items", history.finished)
        if source is not self._source or len(history.finished) < self._read:
            self._begin(source)
        for finished in history.finished[self._read :]:
            self._add(finished)
        self._read = len(history.finished)
        return self

    def _add(self, finished: Finished) -> None:
        is_known = finished.chromosome in self.taken
        self.taken.add(finished.chromosome)
        if is_known:
            return
        if finished.excess is not None:
            self.judged.append(finished)
        if finished.fitness is not None:
            self._add_usable(finished)
        elif finished.excess is not None and finished.excess > 0:
            bisect.insort(self.infeasible, finished, key=lambda other: other.excess or 0.0)
            del self.infeasible[self._size :]

    def _add_usable(self, finished: Finished) -> None:
        self.usable.append(finished)
        own = np.array(finished.fitness)
        is_new = not self.population or not (fitness_of(self.population) >= own).all(1).any()
        self.idle = 0 if is_new else self.idle + 1
        # In front, so that of equals the older one dies: a plateau is walked over, not stood on.
        self.population.insert(0, finished)
        if len(self.population) > self._size:
            worst = best_first(fitness_of(self.population))[-1]
            del self.population[worst]

    def parents(self, expected: Sequence[Finished] = ()) -> list[Finished]:
        """The best of the population and of others that are expected to be as good.

        Half of them at least have finished. Filled up with those that break constraints least
        (Deb 2000).
        """
        members = [*self.population, *_best(expected, self._size // 2)]
        members = _best(members, self._size)
        return [*members, *self.infeasible[: self._size - len(members)]]


def _best(trials: Sequence[Finished], most: int) -> list[Finished]:
    """So many of these trials, which all have a fitness, in their order."""
    if len(trials) <= most:
        return list(trials)
    return [trials[place] for place in sorted(best_first(fitness_of(trials))[:most])]


def excess_of(judged: Sequence[Finished]) -> Fitness:
    """(individuals, 1) of trials that all have an excess."""
    return np.array([[member.excess] for member in judged], dtype=float)


def ruled_fitness_of(parents: Sequence[Finished]) -> Fitness:
    """(individuals, objectives): of the infeasible, the worst of the feasible less their excess.

    So a feasible one is better than any other, and of two others that with less excess (Deb
    2000, An efficient constraint handling method for genetic algorithms, equation 4).
    """
    feasible = [member for member in parents if member.fitness is not None]
    if len(feasible) == len(parents):
        return fitness_of(parents)
    # If there is none, two equal columns serve: selections for fronts do not take a single one.
    fitness = fitness_of(feasible) if feasible else np.zeros((1, 2))
    worst, excess = fitness.min(0), excess_of(parents[len(feasible) :])
    return np.vstack([fitness[: len(feasible)], worst - np.maximum(1.0, np.abs(worst)) * excess])


def fitness_of(population: Sequence[Finished]) -> Fitness:
    """(individuals, objectives) of trials that all have a fitness."""
    return np.array([member.fitness for member in population], dtype=float)
