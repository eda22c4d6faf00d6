"""What every evolver is: a pure function from a history to new chromosomes."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from evonas.evolution.read_history import Memory
from evonas.settings import EvolverSettings
from evonas.space.search_space import SearchSpace
from evonas.trial import Chromosome, History


@dataclass(frozen=True)
class Proposal:
    """A new chromosome, the numbers of the trials it descends from, and what made it."""

    chromosome: Chromosome
    parents: tuple[int, ...]
    operator: str


@dataclass(frozen=True)
class Evolver(ABC):
    """Proposes designs. Has no state beyond its settings: caches are fine, memories are not.

    `start` holds designs that the user names; they have the first numbers.
    """

    settings: EvolverSettings
    space: SearchSpace
    run_seed: int
    start: tuple[Chromosome, ...] = ()

    may_repeat: ClassVar[bool] = False  # whether a design may be proposed again, as in a paper

    def propose(self, history: History, numbers: Sequence[int]) -> list[Proposal]:
        """One proposal for each number.

        Called again with the same history and numbers, in this process or another, it gives
        the same proposals.
        """
        given = [number for number in numbers if number < len(self.start)]
        left = [number for number in numbers if number >= len(self.start)]
        proposals = [Proposal(self.start[number], (), "start") for number in given]
        return proposals + self.invent(history, left) if left else proposals

    @abstractmethod
    def invent(self, history: History, numbers: Sequence[int]) -> list[Proposal]:
        """New designs, one for each number; all randomness comes from `rng(numbers[0])`."""

    @cached_property
    def memory(self) -> Memory:
        """What was read of the last history."""
        return Memory(self.settings.population)

    def seen(self, history: History) -> "Seen":
        """The designs that are taken, those of the start among them."""
        taken = self.memory.recall(history).taken
        return Seen(self.space, taken, [*history.in_flight.values(), *self.start])

    def generation(self, number: int) -> range:
        """The numbers of the generation that this one belongs to, under schedule=generational."""
        first = number - number % self.settings.population
        return range(first, first + self.settings.population)

    def rng(self, number: int) -> np.random.Generator:
        """The generator of a proposal: depends on the run's seed and the number alone."""
        return np.random.default_rng(np.random.SeedSequence([self.run_seed, number]))


ATTEMPTS = 100  # draws before a repeated design is accepted


class Seen:
    """Canonical chromosomes that are taken: no design is proposed twice while another is left."""

    def __init__(
        self, space: SearchSpace, finished: Set[Chromosome], others: Iterable[Chromosome]
    ) -> None:
        self.space = space
        self._finished = finished
        self._others = set(others)

    def has(self, canonical: Chromosome) -> bool:
        """True if the design is taken."""
        return canonical in self._finished or canonical in self._others

    def taking(self, canonical: Chromosome) -> Chromosome:
        """The same, taken from now on."""
        self._others.add(canonical)
        return canonical

    def claim(self, chromosome: Sequence[float]) -> Chromosome | None:
        """The canonical form, now taken, or None if it was."""
        if self.has(tuple(chromosome)):  # what is taken is canonical: quicker than finding out
            return None
        canonical = self.space.canonical(chromosome)
        return None if self.has(canonical) else self.taking(canonical)

    def claim_random(self, rng: np.random.Generator) -> Chromosome:
        """A random design that is not taken, if one turns up."""
        for _ in range(ATTEMPTS):
            fresh = self.claim(self.space.sample(rng))
            if fresh is not None:
                return fresh
        return self.space.canonical(self.space.sample(rng))
