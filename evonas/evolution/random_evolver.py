"""Random search: the baseline that every evolver has to beat."""

from collections.abc import Sequence

from evonas.evolution.evolver import Evolver, Proposal
from evonas.trial import History


class RandomEvolver(Evolver):
    """Designs drawn gene by gene, none twice."""

    def invent(self, history: History, numbers: Sequence[int]) -> list[Proposal]:
        rng = self.rng(numbers[0])
        seen = self.seen(history)
        return [Proposal(seen.claim_random(rng), (), "random") for _ in numbers]
