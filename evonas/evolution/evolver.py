"""What every evolver is: a pure function from a history to new chromosomes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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
    """Proposes designs. Has no state beyond its settings: caches are fine, memories are not."""

    settings: EvolverSettings
    space: SearchSpace
    run_seed: int

    @abstractmethod
    def propose(self, history: History, numbers: Sequence[int]) -> list[Proposal]:
        """One proposal for each number.

        Called again with the same history and numbers, in this process or another, it gives
        the same proposals. All randomness comes from `rng(numbers[0])`.
        """

    def rng(self, number: int) -> np.random.Generator:
        """The generator of a proposal: depends on the run's seed and the number alone."""
        return np.random.default_rng(np.random.SeedSequence([self.run_seed, number]))


ATTEMPTS = 100  # draws before a repeated design is accepted


class Seen:
    """Canonical chromosomes that are taken: no design is proposed twice while another is left."""

    def __init__(self, space: SearchSpace, history: History) -> None:
        self.space = space
        self.taken = {finished.chromosome for finished in history.finished}
        self.taken |= set(history.in_flight.values())

    def claim(self, chromosome: Sequence[float]) -> Chromosome | None:
        """The canonical form, now taken, or None if it was."""
        canonical = self.space.canonical(chromosome)
        if canonical in self.taken:
            return None
        self.taken.add(canonical)
        return canonical

    def claim_random(self, rng: np.random.Generator) -> Chromosome:
        """A random design that is not taken, if one turns up."""
        for _ in range(ATTEMPTS):
            fresh = self.claim(self.space.sample(rng))
            if fresh is not None:
                return fresh
        return self.space.canonical(self.space.sample(rng))
