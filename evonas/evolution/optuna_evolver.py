"""Optuna's samplers as evolvers: baselines from outside. Loads Optuna when first asked."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from evonas.evolution.evolver import Evolver, Proposal
from evonas.trial import History

if TYPE_CHECKING:
    from evonas.evolution.optuna_study import Replay


class OptunaEvolver(Evolver):
    """Designs that one of Optuna's samplers asks for, with its default settings.

    One that is taken is left in flight, so that samplers turn away from it, and the sampler is
    asked again; after `attempts` of these the design is random. The study is a cache: what it
    holds is a function of the history, and each question has a new sampler, seeded from the
    run's seed and the number.
    """

    sampler: ClassVar[str]
    attempts: ClassVar[int] = 10

    def invent(self, history: History, numbers: Sequence[int]) -> list[Proposal]:
        """See `Evolver.invent`; earlier designs of one call are in flight for the later."""
        in_flight = [history.in_flight[number] for number in sorted(history.in_flight)]
        seen = self.seen(history)
        proposals = []
        for number in numbers:
            rng = self.rng(number)
            seeds = rng.integers(2**32, size=self.attempts).tolist()
            asked = self._replay.ask(history.finished, in_flight, seeds, seen.claim)
            made = (asked, (), self.sampler) if asked else (seen.claim_random(rng), (), "random")
            proposals.append(Proposal(*made))
            in_flight.append(proposals[-1].chromosome)
        return proposals

    @cached_property
    def _replay(self) -> "Replay":
        from evonas.evolution.optuna_study import Replay

        return Replay(self.space, self.sampler, self.settings.population)


class TpeEvolver(OptunaEvolver):
    """Tree-structured Parzen estimator; multivariate if there is one objective."""

    sampler = "tpe"


class Nsga2Evolver(OptunaEvolver):
    """Optuna's generational NSGA-II, a yardstick for our steady-state one."""

    sampler = "nsga2"


class GpEvolver(OptunaEvolver):
    """Gaussian process with log expected (hypervolume) improvement; loads torch."""

    sampler = "gp"
    attempts = 2  # each takes seconds
