"""What an evolver has read of the history, so that it need not read it again.

A cache, never a state: what is in here follows from the history alone, and is built anew when
another history comes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from evonas.evolution.pareto import Fitness, best_first
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
        self.population: list[Finished] = []

    def recall(self, history: History) -> "Memory":
        """Reads what is new in the history; all of it if it is not the one read before.

        Afterwards `taken` holds all finished chromosomes, `usable` the first finished trial of
        each design that has a fitness, and `population` the best of them: each newcomer takes the
        place of the worst by rank and crowding distance, (mu + 1) survival.
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
        if finished.fitness is None or is_known:
            return
        self.usable.append(finished)
        self.population.append(finished)
        if len(self.population) > self._size:
            worst = best_first(fitness_of(self.population))[-1]
            del self.population[worst]


def fitness_of(population: Sequence[Finished]) -> Fitness:
    """(individuals, objectives) of trials that all have a fitness."""
    return np.array([member.fitness for member in population], dtype=float)
