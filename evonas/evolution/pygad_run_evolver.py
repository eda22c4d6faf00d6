"""`pygad.GA.run()` as an evolver: the same populations, from the same seed.

PyGAD's run cannot be stopped and go on exactly. Here one GA, seeded with the run's seed, is
driven step by step, and replayed from its beginning over the recorded fitness when it is needed.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evonas.evolution import operators
from evonas.evolution.evolver import Evolver, Proposal
from evonas.evolution.operators import FastGA
from evonas.settings import EvolverSettings
from evonas.trial import Chromosome, History

Raw = Mapping[int, tuple[float, ...] | None]  # fitness of the finished by number, None: has none


class PygadRunEvolver(Evolver):
    """Generation after generation of `pygad.GA.run()`; half a population are parents.

    The individuals of a generation that are kept from the last one, elites or parents, have their
    numbers already, so all generations but the first are shorter by them. A proposal is the
    canonical form of a row of PyGAD's population, which goes on with the row as it is. What was
    seen before is proposed again where PyGAD does so.

    A generation follows from the fitness of all before it. What has none, because it failed or
    because it is not finished, ranks last.
    """

    def generation(self, number: int) -> range:
        """The numbers of the generation that the number belongs to."""
        population = self.settings.population
        if number < population:
            return range(population)
        children = population - kept(self.settings)
        first = number - (number - population) % children
        return range(first, first + children)

    def invent(self, history: History, numbers: Sequence[int]) -> list[Proposal]:
        fitness = {finished.number: finished.fitness for finished in history.finished}
        proposals: dict[int, Proposal] = {}
        for number in numbers:
            if number not in proposals:
                generation = self.generation(number)
                made = self._replay.proposals(fitness, self._index(generation))
                proposals.update(zip(generation, made, strict=True))
        return [proposals[number] for number in numbers]

    def _index(self, generation: range) -> int:
        if generation.start == 0:
            return 0
        return 1 + (generation.start - self.settings.population) // len(generation)

    @cached_property
    def _replay(self) -> "Replay":
        """A cache: what it gives does not depend on what it gave before."""
        return Replay(self)


class Replay:
    """One GA and the generations that came of it so far."""

    def __init__(self, evolver: PygadRunEvolver) -> None:
        self.evolver = evolver
        self.settings = evolver.settings
        self._begin()

    def proposals(self, fitness: Raw, index: int) -> list[Proposal]:
        """The proposals of generation `index`, made now if they were not before."""
        if not self._follows(fitness, index):
            self._begin()
        while len(self.generations) <= index:
            self.told.append(self._fitness_of(len(self.told), fitness))
            self._step([fitness.get(int(number)) for number in self.members])
        return self.generations[index]

    def _begin(self) -> None:
        settings, genes = self.settings, self.evolver.space.genes
        self.ga = StepGA(
            **operators.pygad_parameters(settings, genes),
            num_generations=1,
            num_parents_mating=operators.mating(settings),
            fitness_func=operators.never_called,
            sol_per_pop=settings.population,
            num_genes=len(genes),
            keep_elitism=settings.keep_elitism,
            keep_parents=settings.keep_parents,
            random_seed=self.evolver.run_seed % 2**32,
        )
        for row, chromosome in enumerate(self.evolver.start[: settings.population]):
            self.ga.population[row] = chromosome
        self.members = np.arange(settings.population)  # trial numbers of the population
        self.generations = [[self._proposal(row, (), "random") for row in self.ga.population]]
        self.told: list[list[Any]] = []  # fitness of each generation's own that went into the next

    def _follows(self, fitness: Raw, index: int) -> bool:
        """True if what was told before generation `index` is what the history says."""
        return all(
            told == self._fitness_of(generation, fitness)
            for generation, told in enumerate(self.told[:index])
        )

    def _fitness_of(self, index: int, fitness: Raw) -> list[Any]:
        sizes = [len(generation) for generation in self.generations[: index + 1]]
        first = sum(sizes[:-1])
        return [fitness.get(number) for number in range(first, first + sizes[-1])]

    def _step(self, fitness: Sequence[tuple[float, ...] | None]) -> None:
        """A generation more, from the fitness of the last one's members."""
        self.ga.tell(complete(fitness, self.settings), self.settings)
        stay, pairs = self.ga.ask()
        first = sum(len(generation) for generation in self.generations)
        parents = [tuple(dict.fromkeys(self.members[pair].tolist())) for pair in pairs]
        stayed = [int(self.members[place]) for place in stay]
        self.members = np.array([*stayed, *range(first, first + len(pairs))])
        operator = f"{self.settings.crossover}+{self.settings.mutation}"
        rows = self.ga.population[len(stay) :]
        self.generations.append(
            [self._proposal(row, of, operator) for row, of in zip(rows, parents, strict=True)]
        )

    def _proposal(
        self, row: NDArray[np.float64], parents: tuple[int, ...], operator: str
    ) -> Proposal:
        chromosome: Chromosome = self.evolver.space.canonical(row.tolist())
        return Proposal(chromosome, parents, operator)


class StepGA(FastGA):
    """`run()` cut where it evaluates; `tell` and `ask` in turn are equal to it bit by bit."""

    def tell(self, fitness: NDArray[np.float64], settings: EvolverSettings) -> None:
        """Takes the fitness of the population, `(individuals,)` or `(individuals, objectives)`."""
        self.last_generation_fitness = fitness
        if settings.selection in operators.NSGA3:
            objectives = fitness.shape[1]
            self.nsga3_reference_points = self.nsga3_generate_reference_points(
                objectives, operators.nsga3_divisions(settings, objectives)
            )

    def ask(self) -> tuple[list[int], list[list[int]]]:
        """Makes the next population.

        Returns:
            Places in the old population of those who stay, which stand first in the new one,
            and for each child behind them the places of its parents in the old population, empty
            where a crossover probability hides them.
        """
        self.run_select_parents()
        self.run_crossover()
        self.run_mutation()
        stay, pairs = self._staying(), self._pairs()
        self.run_update_population()
        self.generations_completed += 1
        self.previous_generation_fitness = self.last_generation_fitness.copy()
        return stay, pairs

    def _staying(self) -> list[int]:
        if self.keep_elitism == 0 and self.keep_parents == -1:
            return [int(place) for place in self.last_generation_parents_indices]
        return self._best(self.keep_elitism or self.keep_parents)

    def _best(self, count: int) -> list[int]:
        if count == 0:
            return []
        _, places = self.steady_state_selection(self.last_generation_fitness, num_parents=count)
        return [int(place) for place in places]

    def _pairs(self) -> list[list[int]]:
        parents = [int(place) for place in self.last_generation_parents_indices]
        numbers = range(self.num_offspring)
        if self.crossover_type is None:
            copied = self._copied(parents)
            return [[copied[number]] for number in numbers]
        if self.crossover_probability is not None:
            return [[] for _ in numbers]
        size = len(parents)
        return [[parents[number % size], parents[(number + 1) % size]] for number in numbers]

    def _copied(self, parents: list[int]) -> list[int]:
        """Whose copies children are without crossover; see `pygad.GA.run_crossover`."""
        if self.num_offspring <= (self.keep_elitism or self.keep_parents):
            return parents
        first = self._best(self.keep_elitism) if self.keep_elitism else parents
        return first + list(range(self.num_offspring))


def kept(settings: EvolverSettings) -> int:
    """How many individuals of a generation PyGAD takes over into the next."""
    if settings.keep_elitism:
        return settings.keep_elitism
    return operators.mating(settings) if settings.keep_parents == -1 else settings.keep_parents


def complete(
    fitness: Sequence[tuple[float, ...] | None], settings: EvolverSettings
) -> NDArray[np.float64]:
    """Fitness as PyGAD's run has it: one-dimensional for one objective, and no gaps.

    What has no fitness is worse in each objective than the worst that has one, by the span
    of the population, so that wheels and crowding distances see no numbers of another size.
    """
    known = np.array([own for own in fitness if own is not None], dtype=float)
    if not len(known):
        known = np.ones((1, 2 if settings.selection in operators.NSGA else 1))
    span = known.max(0) - known.min(0)
    worst = known.min(0) - np.where(span > 0, span, 1.0)
    filled = np.array([worst if own is None else own for own in fitness], dtype=float)
    if filled.shape[1] > 1 or settings.selection in operators.NSGA:
        return _turning(filled, settings)
    return _turning(filled[:, 0], settings)


def _turning(fitness: NDArray[np.float64], settings: EvolverSettings) -> NDArray[np.float64]:
    """A wheel cannot turn if all are zero: then all are equal otherwise."""
    sums = fitness.reshape(len(fitness), -1).sum(1)
    is_stuck = settings.selection in operators.WHEELS and not sums.any()
    return np.ones_like(fitness) if is_stuck else fitness
