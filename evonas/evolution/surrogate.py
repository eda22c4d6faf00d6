"""A learned model of the run so far, which screens children before they cost a training.

The model is a Gaussian process for each objective; `trust` says how well it predicts, and a
design is chosen by expected improvement. All of it follows from the history: the model is fitted
at fixed lengths of it, so that asking again gives the same answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.stats import spearmanr

from evonas.evolution import pareto
from evonas.evolution.acquisition import (
    expected_hypervolume_improvement,
    log_expected_improvement,
)
from evonas.evolution.features import Array, Features
from evonas.evolution.gaussian_process import Hyperparameters, Process, fit
from evonas.evolution.memory import fitness_of
from evonas.space.search_space import SearchSpace
from evonas.trial import Chromosome, Finished

FEWEST = 6  # designs to learn from
GROWTH = 1.15  # of the history between two fits
FITTED = 200  # designs at most that hyperparameters are fitted to
CONDITIONED = 300  # designs at most that a prediction takes into account
PENDING = 64  # designs in flight at most that a prediction takes into account
SAMPLES = 16  # of the posterior, for several objectives
TRUSTED = 0.3  # rank correlation from which on the model is trusted
UNSCREENED = 0.05  # share of proposals that a trusted model does not screen


class Surrogate:
    """Chooses among children of one space."""

    def __init__(self, space: SearchSpace) -> None:
        self.features = Features(space)
        self._fitted = lru_cache(maxsize=4)(self._fit)

    def unscreened(self, usable: Sequence[Finished]) -> float:
        """The share of proposals that are plain children: all, if the model misleads."""
        if len(usable) < FEWEST:
            return 1.0
        trust = self._fitted(tuple(usable[: _anchor(len(usable))])).trust
        return UNSCREENED if trust >= TRUSTED else 1 - max(trust, 0) / TRUSTED * (1 - UNSCREENED)

    def choose(
        self,
        children: Sequence[Chromosome],
        usable: Sequence[Finished],
        pending: Sequence[Chromosome],
        rng: np.random.Generator,
    ) -> int:
        """The index of the child that is worth an evaluation.

        Args:
            usable: Finished trials with a fitness, in the order they finished.
            pending: Designs in flight: taken to turn out as predicted, so that the next choice
                lies elsewhere (kriging believer, Ginsbourger et al. 2010).
        """
        model = self._fitted(tuple(usable[: _anchor(len(usable))]))
        seen = _subset(usable, CONDITIONED)
        pending = list(pending)[-PENDING:]
        designs = [finished.chromosome for finished in seen]
        between = self.features.distances([*designs, *pending], [*designs, *pending])
        across = self.features.distances(children, [*designs, *pending])
        targets = _targets(fitness_of(seen))
        posteriors = [
            _posterior(parameters, between, across, column)
            for parameters, column in zip(model.parameters, targets.T, strict=True)
        ]
        if len(posteriors) == 1:
            (only,) = posteriors
            worth = log_expected_improvement(only.mean, only.deviation, only.best)
        else:
            believed = np.stack([posterior.believed for posterior in posteriors], axis=1)
            worth = _worth_of_several(posteriors, targets, np.vstack([targets, believed]), rng)
        return int(worth.argmax())

    def _fit(self, usable: tuple[Finished, ...]) -> "_Model":
        seen = _subset(usable, FITTED)
        designs = [finished.chromosome for finished in seen]
        distances = self.features.distances(designs, designs)
        targets = _targets(fitness_of(seen))
        parameters = [fit(distances, column) for column in targets.T]
        trusts = [
            _rank_correlation(Process(found, distances, column).left_out(), column)
            for found, column in zip(parameters, targets.T, strict=True)
        ]
        return _Model(tuple(parameters), min(trusts))


@dataclass(frozen=True)
class _Model:
    """Hyperparameters of each objective; rank correlation of left-out predictions."""

    parameters: tuple[Hyperparameters, ...]
    trust: float


@dataclass(frozen=True)
class _Posterior:
    """Of the children: mean and deviation. `best`: largest mean of the designs seen or pending.

    `believed`: means of those pending.
    """

    mean: Array
    deviation: Array
    best: float
    believed: Array


def _posterior(
    parameters: Hyperparameters, between: Array, across: Array, values: Array
) -> _Posterior:
    """`between`, `across`: distances of the designs seen and pending, children's to those."""
    n = len(values)
    known = Process(parameters, between[:n, :n], values)
    best = float(known.mean(between[:, :n]).max())
    believed = known.mean(between[n:, :n])
    if not len(believed):
        return _Posterior(*known.predict(across), best, believed)
    _, deviation = Process(parameters, between, np.append(values, believed)).predict(across)
    return _Posterior(known.mean(across[:, :n]), deviation, best, believed)


def _worth_of_several(
    posteriors: Sequence[_Posterior], targets: Array, taken: Array, rng: np.random.Generator
) -> Array:
    """`taken`: the targets, and what is believed of the designs pending."""
    mean = np.stack([posterior.mean for posterior in posteriors], axis=1)
    deviation = np.stack([posterior.deviation for posterior in posteriors], axis=1)
    samples = mean + deviation * rng.standard_normal((SAMPLES, *mean.shape))
    front = taken[pareto.front(taken)]
    if targets.shape[1] > 2:
        return _scalarised(samples, front, rng)
    reference = targets.min(0) - 0.1
    reference[0] = np.quantile(targets[:, 0], 0.25)
    growth = expected_hypervolume_improvement(samples, front, reference)
    return growth if growth.max() > 0 else mean.sum(1)


def _scalarised(samples: Array, front: Array, rng: np.random.Generator) -> Array:
    """Expected improvement of a random weighting (ParEGO, Knowles 2006, equation 2)."""
    weights = rng.dirichlet(np.ones(front.shape[1]))

    def scalar(values: Array) -> Array:
        weighted = weights * values
        total: Array = weighted.min(-1) + 0.05 * weighted.sum(-1)
        return total

    improvement: Array = np.maximum(scalar(samples) - scalar(front).max(), 0).mean(0)
    return improvement if improvement.max() > 0 else scalar(samples).mean(0)


def _anchor(length: int) -> int:
    """The last length of the history, not beyond this one, at which the model is fitted."""
    anchor = FEWEST
    while (larger := int(np.ceil(anchor * GROWTH))) <= length:
        anchor = larger
    return anchor


def _subset(usable: Sequence[Finished], most: int) -> list[Finished]:
    """All designs, or the best half of so many and the newest others, in their order."""
    if len(usable) <= most:
        return list(usable)
    order = pareto.best_first(fitness_of(usable))
    best = set(order[: most // 2].tolist())
    newest = [index for index in range(len(usable)) if index not in best][-(most - most // 2) :]
    return [usable[index] for index in sorted([*best, *newest])]


def _targets(fitness: Array) -> Array:
    """Standardised values to learn, (designs, objectives).

    One objective: the logarithm of how much is missing to the best, so that differences count
    most where they matter. Several: far outliers below are moved in.
    """
    if fitness.shape[1] == 1:
        best = fitness.max()
        scale = max(float(best - np.quantile(fitness, 0.75)), 1e-9 * max(1.0, abs(float(best))))
        values = -np.log(best - fitness + scale)
    else:
        median, high = np.median(fitness, axis=0), np.quantile(fitness, 0.9, axis=0)
        values = np.maximum(fitness, median - 2.5 * (high - median))
    spread = values.std(0)
    standard: Array = (values - values.mean(0)) / np.where(spread > 0, spread, 1.0)
    return standard


def _rank_correlation(predicted: Array, values: Array) -> float:
    if np.ptp(values) == 0 or np.ptp(predicted) == 0:
        return 0.0
    return float(spearmanr(predicted, values).statistic)
