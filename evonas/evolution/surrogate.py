"""A learned model of the run so far, which screens children before they cost a training.

Gaussian processes for the objectives and for what constraints leave; `unscreened` follows from
how well they predict, and a design is chosen by expected improvement. All of it follows from the
history: the models are fitted at fixed lengths of it, so that asking again gives the same answer.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from scipy.special import log_ndtr
from threadpoolctl import ThreadpoolController

from evonas import pareto
from evonas.evolution.acquisition import (
    expected_hypervolume_improvement,
    log_expected_improvement,
)
from evonas.evolution.features import Array, Features
from evonas.evolution.learner import FEWEST, Learner, Lesson, Posterior
from evonas.evolution.read_history import Memory, excess_of, fitness_of
from evonas.space.search_space import SearchSpace
from evonas.trial import Chromosome, Finished

PENDING = 64  # designs in flight at most that a prediction takes into account
SAMPLES = 16  # of the posterior, for several objectives
TRUSTED = 0.3  # rank correlation from which on the model is trusted
UNSCREENED = 0.05  # share of proposals that a trusted model does not screen
# Share of proposals that may compute what another design did: it teaches the least, but shows how
# much of a good outcome was luck; where equal trainings are shared it costs nothing.
REPEATING = 0.25
REMEMBERED = 1 << 16  # fingerprints
# Its matrices are small: beside busy workers more threads wait for each other, and cost five times
# the time. Sums do not depend on their number then, either.
BLAS = ThreadpoolController()


class Surrogate:
    """Chooses among children of one space."""

    def __init__(self, space: SearchSpace) -> None:
        self.features = Features(space)
        self._fingerprint = lru_cache(REMEMBERED)(lambda c: space.peek(c).fingerprint)
        self._begin(Memory(0))

    def _begin(self, memory: Memory) -> None:
        self._usable = memory.usable
        self._objectives = Learner(self.features, memory.usable, OBJECTIVES)
        self._slack = Learner(self.features, memory.judged, SLACK)
        self._known: set[str] = set()  # fingerprints of the designs usable
        self._read = 0

    def _recall(self, memory: Memory) -> None:
        """Reads what is new in the memory; all of it if it has begun anew."""
        if memory.usable is not self._usable:
            self._begin(memory)
        fresh = memory.usable[self._read :]
        self._known.update(self._fingerprint(finished.chromosome) for finished in fresh)
        self._read = len(memory.usable)

    def unscreened(self, memory: Memory) -> float:
        """The share of proposals that are plain children: all, if the model misleads."""
        self._recall(memory)
        if len(memory.usable) < FEWEST:
            return UNSCREENED if self._knows_limits(memory) else 1.0
        with BLAS.limit(limits=1, user_api="blas"):
            trust = self._objectives.trust
        return UNSCREENED if trust >= TRUSTED else 1 - max(trust, 0) / TRUSTED * (1 - UNSCREENED)

    def _knows_limits(self, memory: Memory) -> bool:
        """True if it can tell which designs keep the constraints, and some do not."""
        if not memory.infeasible or len(memory.judged) < FEWEST:
            return False
        with BLAS.limit(limits=1, user_api="blas"):
            return self._slack.trust >= TRUSTED

    def expected(self, memory: Memory, in_flight: Mapping[int, Chromosome]) -> list[Finished]:
        """Designs in flight, with the fitness that a trusted model expects of them.

        None where designs are known to break constraints, for these may as well.
        """
        self._recall(memory)
        if not in_flight or memory.infeasible or len(memory.usable) < FEWEST:
            return []
        numbers = list(in_flight)[-PENDING:]
        chromosomes = [in_flight[number] for number in numbers]
        with BLAS.limit(limits=1, user_api="blas"):
            if self._objectives.trust < TRUSTED:
                return []
            fitness = self._objectives.expected(chromosomes).tolist()
        rows = zip(numbers, chromosomes, fitness, strict=True)
        return [Finished(number, chromosome, tuple(row)) for number, chromosome, row in rows]

    def choose(
        self,
        children: Sequence[Chromosome],
        memory: Memory,
        pending: Sequence[Chromosome],
        rng: np.random.Generator,
    ) -> int:
        """The index of the child that is worth an evaluation.

        Mostly a child that computes the same function as a design evaluated or in flight is
        taken only if all do.

        Args:
            memory: Of the run.
            pending: Designs in flight: taken to turn out as predicted, so that the next choice
                lies elsewhere (kriging believer, Ginsbourger et al. 2010).
        """
        self._recall(memory)
        pending = list(pending)[-PENDING:]
        with BLAS.limit(limits=1, user_api="blas"):
            worth = self._worth(children, memory, pending, rng)
        order = np.argsort(-worth, kind="stable")
        if rng.random() < REPEATING:
            return int(order[0])
        known = self._known.union(self._fingerprint(chromosome) for chromosome in pending)
        new = (index for index in order if self._fingerprint(children[index]) not in known)
        return int(next(new, order[0]))

    def _worth(
        self,
        children: Sequence[Chromosome],
        memory: Memory,
        pending: Sequence[Chromosome],
        rng: np.random.Generator,
    ) -> Array:
        """Logarithm of the expected improvement, and of the probability that constraints hold."""
        worth = np.zeros(len(children))
        if len(memory.usable) >= FEWEST:
            worth += _log_improvement(self._objectives.predict(children, pending), rng)
        if self._knows_limits(memory):
            slack = self._slack.predict(children, pending)
            worth += _log_feasible(*slack) if memory.usable else _log_improvement(slack, rng)
        return worth


def posterior_means(space: SearchSpace, trials: Sequence[Finished]) -> Array | None:
    """(trials, objectives) of what a model of these trials expects of them, larger is better.

    In the units of its targets, which rank as values do; None if there are too few to learn from.
    """
    if len(trials) < FEWEST:
        return None
    learner = Learner(Features(space), trials, OBJECTIVES)
    with BLAS.limit(limits=1, user_api="blas"):
        posteriors = learner.predict([trial.chromosome for trial in trials], ())
    return np.stack([posterior.mean for posterior in posteriors], axis=1)


def _log_improvement(posteriors: Sequence[Posterior], rng: np.random.Generator) -> Array:
    """Logarithm of what is expected to be won, of one objective or of the front."""
    if len(posteriors) == 1:
        (only,) = posteriors
        return log_expected_improvement(only.mean, only.deviation, only.best)
    mean = np.stack([posterior.mean for posterior in posteriors], axis=1)
    deviation = np.stack([posterior.deviation for posterior in posteriors], axis=1)
    samples = mean + deviation * rng.standard_normal((SAMPLES, *mean.shape))
    targets = np.stack([posterior.values for posterior in posteriors], axis=1)
    believed = np.stack([posterior.believed for posterior in posteriors], axis=1)
    taken = np.vstack([targets, believed])
    front = taken[pareto.front(taken)]
    if targets.shape[1] > 2:
        return _scalarised(samples, front, rng)
    reference = targets.min(0) - 0.1
    reference[0] = np.quantile(targets[:, 0], 0.25)
    growth = expected_hypervolume_improvement(samples, front, reference)
    return _log(growth) if growth.max() > 0 else mean.sum(1)


def _scalarised(samples: Array, front: Array, rng: np.random.Generator) -> Array:
    """Expected improvement of a random weighting (ParEGO, Knowles 2006, equation 2)."""
    weights = rng.dirichlet(np.ones(front.shape[1]))

    def scalar(values: Array) -> Array:
        weighted = weights * values
        total: Array = weighted.min(-1) + 0.05 * weighted.sum(-1)
        return total

    improvement: Array = np.maximum(scalar(samples) - scalar(front).max(), 0).mean(0)
    return _log(improvement) if improvement.max() > 0 else scalar(samples).mean(0)


def _log(values: Array) -> Array:
    logarithm: Array = np.log(np.maximum(values, 1e-300))
    return logarithm


def _log_feasible(slack: Posterior) -> Array:
    """Logarithm of the probability that no constraint is broken.

    Gardner et al. 2014, Bayesian optimization with inequality constraints, section 3.1.
    """
    logarithm: Array = log_ndtr((slack.mean - slack.zero) / slack.deviation)
    return logarithm


def _targets(fitness: Array) -> Array:
    """What is learned of the objectives.

    One objective: the logarithm of how much is missing to the best, so that differences count
    most where they matter. Several: far outliers below are moved in.
    """
    if fitness.shape[1] == 1:
        best = fitness.max()
        scale = max(float(best - np.quantile(fitness, 0.75)), 1e-9 * max(1.0, abs(float(best))))
        return np.asarray(-np.log(best - fitness + scale))
    median, high = np.median(fitness, axis=0), np.quantile(fitness, 0.9, axis=0)
    return np.maximum(fitness, median - 2.5 * (high - median))


OBJECTIVES = Lesson(fitness_of, _targets, lambda fitness: fitness)
# Designs at the edge of what constraints allow teach most about where it is, and differences
# there matter most; far off they count as logarithms do.
SLACK = Lesson(excess_of, lambda excess: -np.arcsinh(10 * excess), lambda excess: -np.abs(excess))
