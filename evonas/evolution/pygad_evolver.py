"""The default evolver: a steady-state GA with PyGAD's operators, its children screened.

PyGAD's `run()` evaluates elites again, cannot resume exactly and waits for whole generations;
its operators have none of these faults, and see only the current population here. Of many
children the surrogate picks the one to evaluate; without it, the first is taken.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evonas.evolution.evolver import ATTEMPTS, Evolver, Proposal, Seen
from evonas.evolution.operators import BEST_ONLY, Operators
from evonas.evolution.read_history import Memory, ruled_fitness_of
from evonas.evolution.spread import spread_designs
from evonas.evolution.surrogate import Surrogate
from evonas.settings import STEP_SETTINGS
from evonas.space.compression_section import SECTION
from evonas.trial import Chromosome, Finished, History

MUTANTS = 0.5  # share of a pool's children that have one parent
FRESH = 0.05  # share of a pool's children that have none
# After so many evaluations without progress half the pools are of children that differ much from
# their parents: triggered hypermutation (Cobb 1990), out of an optimum that is only local.
PATIENCE = 15
LEAPING = 0.5
# Of the first designs the quick ones finish first: nothing is bred of them alone, unless so many
# times as many have been proposed.
COHORT = 2
# A child that is taken is bred again as it was; after so many in a row each differs in one gene
# more, for nothing new may be left near the parents of a long run.
REPEATS = 4

Child = tuple[Chromosome, tuple[int, ...], str]  # chromosome, parents' numbers, operator


class PygadEvolver(Evolver):
    """Spread designs first, then children of the best of the whole history."""

    @cached_property
    def _surrogate(self) -> Surrogate:
        return Surrogate(self.space)

    @cached_property
    def _first(self) -> list[Chromosome]:
        """What the search begins with: few designs if a surrogate learns, else a population."""
        count = self.settings.initial if self.settings.surrogate else self.settings.population
        return spread_designs(self.space, count, np.random.default_rng([self.run_seed, count]))

    def invent(self, history: History, numbers: Sequence[int]) -> list[Proposal]:
        rng = self.rng(numbers[0])
        memory, seen = self.memory.recall(history), self.seen(history)
        in_flight = dict(history.in_flight)
        proposals = []
        for number in numbers:
            if number < self._alone_until(in_flight):
                proposal = self._fresh(number, seen, rng)
            else:
                proposal = self._bred(memory, seen, in_flight, rng)
            proposals.append(proposal)
            in_flight[number] = proposal.chromosome
        return proposals

    def _alone_until(self, in_flight: Mapping[int, Chromosome]) -> int:
        """The first number that has parents."""
        first = len(self.start) + len(self._first)
        waits = any(number < first for number in in_flight)
        return len(self.start) + COHORT * len(self._first) if waits else first

    def _fresh(self, number: int, seen: Seen, rng: np.random.Generator) -> Proposal:
        """One of the spread designs, or a random one if there are no more."""
        place = number - len(self.start)
        spread = seen.claim(self._first[place]) if place < len(self._first) else None
        return Proposal(spread or seen.claim_random(rng), (), "random")

    def _bred(
        self,
        memory: Memory,
        seen: Seen,
        in_flight: Mapping[int, Chromosome],
        rng: np.random.Generator,
    ) -> Proposal:
        """A child of the best finished designs, and of those in flight that may be as good.

        Without the latter a search with several in flight goes after quick designs, which are
        parents sooner.
        """
        expected = self._surrogate.expected(memory, in_flight) if self.settings.surrogate else ()
        parents = memory.parents(expected)
        if len(parents) < 2:
            return Proposal(seen.claim_random(rng), (), "random")
        breeder = _Breeder(self, parents, rng)
        if self.settings.surrogate and rng.random() >= self._surrogate.unscreened(memory):
            children = self._children(breeder, seen, memory, rng)
            if children:
                chromosomes = [chromosome for chromosome, _, _ in children]
                pending = list(in_flight.values())
                best = self._surrogate.choose(chromosomes, memory, pending, rng)
                chromosome, parents_of, operator = children[best]
                return Proposal(seen.taking(chromosome), parents_of, operator)
        return breeder.child(seen) or Proposal(seen.claim_random(rng), (), "random")

    def _children(
        self, breeder: "_Breeder", seen: Seen, memory: Memory, rng: np.random.Generator
    ) -> list[Child]:
        """A pool of one kind."""
        if breeder.remade and rng.random() < self.settings.siblings:
            siblings = breeder.siblings(self.settings.pool, seen)
            if siblings:
                return siblings
        leaps = memory.idle >= PATIENCE and rng.random() < LEAPING
        return breeder.pool(self.settings.pool, seen, leaps)


class _Breeder:
    """PyGAD's operators over one population."""

    def __init__(
        self, evolver: PygadEvolver, population: Sequence[Finished], rng: np.random.Generator
    ) -> None:
        self.settings = evolver.settings
        self.space = evolver.space
        self.rng = rng
        self.members = population
        self.chromosomes = np.array([member.chromosome for member in population])
        self.fitness = ruled_fitness_of(population)
        self.operators = Operators(self.settings, self.space, rng)

    @cached_property
    def _bad(self) -> NDArray[np.bool_]:
        """Which members are bad parents."""
        return self.operators.is_bad(self.fitness)

    def child(self, seen: Seen) -> Proposal | None:
        """A child that is not taken, by the operators as the settings have them.

        Where these give only what is taken, more and more genes mutate.
        """
        operator = f"{self.settings.crossover}+{self.settings.mutation}"
        for attempt in range(ATTEMPTS):
            parents = self._parents(2)
            crossed = self.operators.cross(self.chromosomes[parents], 1)
            is_bad = self._bad[parents[:1]] if self.settings.mutation == "adaptive" else None
            mutated = self.operators.mutate(crossed, self._more_genes(attempt), is_bad)
            fresh = seen.claim(mutated[0].tolist())
            if fresh is not None:
                used = parents if self.settings.crossover != "none" else parents[:1]
                return Proposal(fresh, self._numbers(used), operator)
        return None

    def _more_genes(self, attempt: int) -> int | None:
        """How many genes mutate after so many repeats; None leaves it to the settings."""
        if attempt < REPEATS:
            return None
        more = self.settings.mutation_genes + attempt - REPEATS + 1
        return min(more, len(self.space.genes))

    def pool(self, size: int, seen: Seen, leaps: bool = False) -> list[Child]:
        """Different children that are not taken: crossed and mutated, mutated, and new ones.

        Their mutated genes are geometric in number, so that small steps are common and large
        ones happen. With `leaps` all are mutants, in three genes at least.
        """
        return self._new(self._leaps(size) if leaps else self._steps(size), seen)

    def siblings(self, size: int, seen: Seen) -> list[Child]:
        """Different children that are not taken and share their parent's training.

        Genes of what is made of the trained network are drawn anew.
        """
        parents = self._parents(size)
        children = self.chromosomes[parents]
        drawn = np.array([self.space.sample(self.rng) for _ in range(size)])
        children[:, self.remade] = drawn[:, self.remade]
        rows = zip(children.tolist(), parents, strict=True)
        return self._new(((tuple(row), self._numbers([p]), "sibling") for row, p in rows), seen)

    @cached_property
    def remade(self) -> list[int]:
        """Indices of the genes of what is made of a trained network."""
        steps = STEP_SETTINGS.items()
        remade = {(SECTION, name) for name, step in steps if not step.acts_in_training}
        genes = enumerate(self.space.genes)
        return [index for index, gene in genes if gene.key_path[:2] in remade]

    def _new(self, bred: Iterable[Child], seen: Seen) -> list[Child]:
        """The different ones of them that are not taken, in their canonical form."""
        children: dict[Chromosome, Child] = {}
        for chromosome, parents, operator in bred:
            canonical = self.space.canonical(chromosome)
            if canonical not in children and not seen.has(canonical):
                children[canonical] = (canonical, parents, operator)
        return list(children.values())

    def _steps(self, size: int) -> Iterator[Child]:
        fresh = round(size * FRESH)
        mutants = round(size * MUTANTS)
        yield from self._crossed(size - mutants - fresh)
        yield from self._mutants(mutants, self.rng.geometric(0.5, mutants))
        yield from ((self.space.sample(self.rng), (), "random") for _ in range(fresh))

    def _leaps(self, size: int) -> list[Child]:
        genes = np.minimum(2 + self.rng.geometric(0.4, size), len(self.space.genes))
        return self._mutants(size, genes)

    def _crossed(self, count: int) -> list[Child]:
        if self.settings.crossover == "none":
            return self._mutants(count, self.rng.geometric(0.5, count))
        parents = self._parents(count)
        crossed = self.operators.cross(self.chromosomes[parents], count)
        mutated = self._mutated(crossed, self.rng.geometric(0.5, count) - 1)
        pairs = zip(parents, np.roll(parents, -1), strict=True)
        operator = f"{self.settings.crossover}+{self.settings.mutation}"
        return [
            (tuple(row), self._numbers(pair), operator)
            for row, pair in zip(mutated.tolist(), pairs, strict=True)
        ]

    def _mutants(self, count: int, genes: NDArray[np.int64]) -> list[Child]:
        """`genes` of each child are mutated."""
        parents = self._parents(count)
        mutated = self._mutated(self.chromosomes[parents], genes)
        return [
            (tuple(row), self._numbers([parent]), f"none+{self.settings.mutation}")
            for row, parent in zip(mutated.tolist(), parents, strict=True)
        ]

    def _parents(self, count: int) -> NDArray[np.int64]:
        """Indices of parents; some selections only say which half is the best."""
        if self.settings.selection not in BEST_ONLY:
            return self.operators.select(self.chromosomes, self.fitness, count)
        half = max(2, len(self.members) // 2)
        best = self.operators.select(self.chromosomes, self.fitness, half)
        return self.rng.choice(best, count, replace=count > half)

    def _mutated(
        self, children: NDArray[np.float64], genes: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Copies of the children of which each has so many genes mutated."""
        mutated = children.copy()
        for number in np.unique(genes[genes > 0]):
            which = genes == number
            mutated[which] = self.operators.mutate(children[which], genes=int(number))
        return mutated

    def _numbers(self, indices: Iterable[Any]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(self.members[int(index)].number for index in indices))
