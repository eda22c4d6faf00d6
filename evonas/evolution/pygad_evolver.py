"""A steady-state NSGA-II with PyGAD's operators, run on our history instead of PyGAD's loop.

PyGAD's `run()` evaluates elites again, cannot resume exactly and waits for whole generations;
its operators have none of these faults. `pygad.GA` is built anew for each proposal, as a holder
of gene space, operators and generator, and sees only the current population.
"""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pygad
from numpy.typing import NDArray

from evonas.evolution.evolver import ATTEMPTS, Evolver, Proposal, Seen
from evonas.evolution.pareto import best_first, ranks
from evonas.trial import Chromosome, Finished, History

# PyGAD logs to a logger of its own; ours keeps silent.
_SILENT = logging.getLogger("evonas.pygad")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False

SINGLE_OBJECTIVE = ("tournament", "rank", "sss", "rws", "sus")


class FastGA(pygad.GA):  # type: ignore[misc]
    """pygad.GA with a vectorised non-dominated sort: same fronts, hundreds of times faster."""

    def non_dominated_sorting(self, fitness: NDArray[Any]) -> tuple[list[Any], NDArray[np.int64]]:
        """Fronts as PyGAD wants them, rows (index, fitness), and the front of each individual."""
        rank = ranks(np.asarray(fitness, dtype=float))
        fronts = []
        for level in range(rank.max() + 1):
            members = np.flatnonzero(rank == level)
            rows = np.empty((len(members), 2), dtype=object)
            for row, index in enumerate(members):
                rows[row, 0], rows[row, 1] = index, fitness[index]
            fronts.append(rows)
        return fronts, rank


class PygadEvolver(Evolver):
    """Random designs until the population is full, then children of its best members."""

    def invent(self, history: History, numbers: Sequence[int]) -> list[Proposal]:
        """See `Evolver.invent`."""
        rng = self.rng(numbers[0])
        seen = self.seen(history)
        population = self._population(history)
        breeder = _Breeder(self, population, rng) if len(population) >= 2 else None
        return [self._one(number, breeder, seen, rng) for number in numbers]

    def _one(
        self, number: int, breeder: "_Breeder | None", seen: Seen, rng: np.random.Generator
    ) -> Proposal:
        if number >= self.settings.population and breeder is not None:
            for _ in range(ATTEMPTS):
                child, parents = breeder.child()
                fresh = seen.claim(child)
                if fresh is not None:
                    return Proposal(fresh, parents, breeder.operator)
        return Proposal(seen.claim_random(rng), (), "random")

    def _population(self, history: History) -> list[Finished]:
        """The best of all that finished: elitist survival by rank and crowding distance."""
        alive = [finished for finished in history.finished if finished.fitness is not None]
        distinct = list({finished.chromosome: finished for finished in alive}.values())
        if not distinct:
            return []
        order = best_first(_fitness_of(distinct))
        return [distinct[index] for index in order[: self.settings.population]]


class _Breeder:
    """PyGAD's operators over one population."""

    def __init__(
        self, evolver: PygadEvolver, population: Sequence[Finished], rng: np.random.Generator
    ) -> None:
        settings = evolver.settings
        self.members = population
        self.operator = f"{settings.crossover}+{settings.mutation}"
        self.selection = settings.selection
        self.has_crossover = settings.crossover != "none"
        self.has_mutation = settings.mutation != "none"
        self.fitness = _selectable(_fitness_of(population), settings.selection)
        self.ga = FastGA(
            num_generations=1,
            num_parents_mating=2,
            fitness_func=_never_called,
            initial_population=np.array([member.chromosome for member in population]),
            gene_space=[gene.pygad_space() for gene in evolver.space.genes],
            gene_type=float,
            parent_selection_type=settings.selection,
            crossover_type=None if settings.crossover == "none" else settings.crossover,
            mutation_type=None if settings.mutation == "none" else settings.mutation,
            mutation_num_genes=min(settings.mutation_genes, len(evolver.space.genes)),
            K_tournament=min(3, len(population)),
            keep_elitism=0,
            keep_parents=0,
            random_seed=int(rng.integers(2**31)),
            suppress_warnings=True,
            logger=_SILENT,
        )

    def child(self) -> tuple[Chromosome, tuple[int, ...]]:
        """A chromosome, not yet canonical, and its parents' numbers."""
        ga = self.ga
        parents, indices = ga.select_parents(self.fitness, num_parents=2)
        size = (1, parents.shape[1])
        children = (
            ga.crossover(parents, offspring_size=size) if self.has_crossover else parents[:1].copy()
        )
        if self.has_mutation:
            children = ga.mutation(children)
        used = indices if self.has_crossover else indices[:1]
        numbers = dict.fromkeys(self.members[int(index)].number for index in used)
        return tuple(float(number) for number in children[0]), tuple(numbers)


def _fitness_of(population: Sequence[Finished]) -> NDArray[np.float64]:
    return np.array([member.fitness for member in population], dtype=float)


def _selectable(fitness: NDArray[np.float64], selection: str) -> NDArray[np.float64]:
    """Selections for one objective see a place in the NSGA-II order: the best has the largest."""
    if selection not in SINGLE_OBJECTIVE:
        return fitness
    places = np.empty(len(fitness))
    places[best_first(fitness)] = np.arange(len(fitness), 0, -1)
    return places


def _never_called(ga: Any, solution: Any, index: Any) -> float:
    raise AssertionError("PyGAD must not evaluate: evonas does")
