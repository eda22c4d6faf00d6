"""Regularised evolution: a baseline in which designs die of old age (arXiv 1802.01548)."""

from collections.abc import Sequence
from itertools import islice
from typing import ClassVar

import numpy as np

from evonas.evolution.evolver import ATTEMPTS, Evolver, Proposal
from evonas.evolution.read_history import fitness_of
from evonas.pareto import best_first
from evonas.space.gene import Gene
from evonas.trial import Chromosome, Finished, History


class AgingEvolver(Evolver):
    """Mutants of tournament winners among the youngest (arXiv 1802.01548, algorithm 1).

    As in the paper a design may come twice: nothing but a mutant equal to its parent is redrawn.
    """

    may_repeat: ClassVar[bool] = True

    def invent(self, history: History, numbers: Sequence[int]) -> list[Proposal]:
        population = self._population(history)
        return [self._one(number, population) for number in numbers]

    def _one(self, number: int, population: Sequence[Finished]) -> Proposal:
        rng = self.rng(number)
        if number < self.settings.population or not population:
            return Proposal(self._random(rng), (), "random")
        parent = self._winner(population, rng)
        return Proposal(self._mutant(parent.chromosome, rng), (parent.number,), "aging")

    def _population(self, history: History) -> list[Finished]:
        """The last P designs that have a fitness, youngest first."""
        alive = (done for done in reversed(history.finished) if done.fitness is not None)
        return list(islice(alive, self.settings.population))

    def _winner(self, population: Sequence[Finished], rng: np.random.Generator) -> Finished:
        """The best of S drawn with replacement; by rank and crowding if objectives are several."""
        drawn: list[int] = rng.integers(len(population), size=self.settings.sample).tolist()
        sample = [population[index] for index in dict.fromkeys(drawn)]
        return sample[int(best_first(fitness_of(sample))[0])]

    def _mutant(self, parent: Chromosome, rng: np.random.Generator) -> Chromosome:
        """The parent with another allele in one active gene; any design if there is no mutant."""
        active = self.space.alleles(parent)
        places = [
            place
            for place, gene in enumerate(self.space.genes)
            if gene.name in active and gene.size > 1
        ]
        for _ in range(ATTEMPTS if places else 0):
            place = places[rng.integers(len(places))]
            number = _another(self.space.genes[place], parent[place], rng)
            child = self.space.canonical((*parent[:place], number, *parent[place + 1 :]))
            if child != parent:
                return child
        return self._random(rng)

    def _random(self, rng: np.random.Generator) -> Chromosome:
        return self.space.canonical(self.space.sample(rng))


def _another(gene: Gene, number: float, rng: np.random.Generator) -> float:
    """A number of another allele, each as likely; of a range of real numbers any number."""
    numbers = gene.pygad_space()
    if isinstance(numbers, dict):
        return gene.sample(rng)
    other = int(rng.integers(len(numbers) - 1))
    return float(numbers[other + (numbers[other] >= number)])
