"""What a run has taught about numbers of its designs: Gaussian processes that grow with it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from evonas import pareto
from evonas.evolution.features import Array, Features
from evonas.evolution.gaussian_process import Hyperparameters, Process, fit
from evonas.trial import Chromosome, Finished

FEWEST = 6  # designs to learn from
GROWTH = 1.15  # of the history between two fits
FITTED = 200  # designs at most that hyperparameters are fitted to
CONDITIONED = 300  # designs at most that a prediction takes into account


@dataclass(frozen=True)
class Lesson:
    """What is learned.

    `values` are numbers of trials, (trials, columns); `targets` what a process is fitted to in
    their place, before it is standardised; `merit` is larger for those that matter more.
    """

    values: Callable[[Sequence[Finished]], Array]
    targets: Callable[[Array], Array]
    merit: Callable[[Array], Array]


@dataclass(frozen=True)
class Posterior:
    """What is expected of one column of standardised targets.

    `mean` and `deviation` of the children; `best` is the largest mean of the designs seen or in
    flight, `values` are what was seen and `believed` the means of those in flight; `zero` is
    where a target of 0 lies.
    """

    mean: Array
    deviation: Array
    best: float
    values: Array
    believed: Array
    zero: float


@dataclass(frozen=True)
class _Model:
    """Hyperparameters of each column; the least rank correlation of left-out predictions."""

    parameters: tuple[Hyperparameters, ...]
    trust: float


class Learner:
    """Learns from finished trials, a list that is only appended to.

    Hyperparameters belong to fixed lengths of the list, so nothing depends on when it was asked.
    """

    def __init__(self, features: Features, trials: Sequence[Finished], lesson: Lesson) -> None:
        self.features = features
        self.trials = trials
        self.lesson = lesson
        self._anchor = 0  # the last length at which the model was fitted
        self._leaders: list[int] = []  # the best by then, best first
        self._model = _Model((), 0.0)

    @property
    def trust(self) -> float:
        """Rank correlation of left-out predictions with the truth, -1 to 1; 0 if it is unknown."""
        return self._fitted().trust

    def predict(
        self, children: Sequence[Chromosome], pending: Sequence[Chromosome]
    ) -> list[Posterior]:
        """One posterior for each column.

        Designs in flight are taken to turn out as expected, which leaves means as they are.
        """
        model = self._fitted()
        seen = self._seen(len(self.trials), CONDITIONED)
        targets, mean, spread = _standard(self.lesson.targets(self.lesson.values(seen)))
        known = self.features.vectors([*(trial.chromosome for trial in seen), *pending])
        vectors = self.features.vectors(children)
        weights = [parameters.theta for parameters in model.parameters]
        between, across = (self.features.weighted(v, known, weights) for v in (known, vectors))
        return [
            _posterior(parameters.eta, np.exp(-own), np.exp(-others), column, float(zero))
            for parameters, own, others, column, zero in zip(
                model.parameters, between, across, targets.T, -mean / spread, strict=True
            )
        ]

    def expected(self, designs: Sequence[Chromosome]) -> Array:
        """(designs, columns) of values: those of trials seen whose targets are as predicted."""
        seen = self._seen(len(self.trials), CONDITIONED)
        columns = zip(self.predict(designs, ()), self.lesson.values(seen).T, strict=True)
        return np.stack([_values_at(predicted, own) for predicted, own in columns], axis=1)

    def _fitted(self) -> _Model:
        reached = self._anchor
        while (larger := max(FEWEST, math.ceil(self._anchor * GROWTH))) <= len(self.trials):
            self._leaders = self._best([*self._leaders, *range(self._anchor, larger)])
            self._anchor = larger
        if self._anchor > reached:
            self._model = self._fit()
        return self._model

    def _fit(self) -> _Model:
        seen = self._seen(self._anchor, FITTED)
        vectors = self.features.vectors([trial.chromosome for trial in seen])
        distances = self.features.distances(vectors, vectors)
        targets, _, _ = _standard(self.lesson.targets(self.lesson.values(seen)))
        parameters = tuple(fit(distances, column) for column in targets.T)
        trusts = [
            rank_correlation(_left_out(found, distances, column), column)
            for found, column in zip(parameters, targets.T, strict=True)
        ]
        return _Model(parameters, min(trusts))

    def _seen(self, length: int, most: int) -> list[Finished]:
        """The first so many trials, or the best half of `most` and the newest others."""
        if length <= most:
            return list(self.trials[:length])
        ranked = self._best([*self._leaders, *range(self._anchor, length)])
        best = set(ranked[: most // 2])
        newest: list[int] = []
        index = length
        while len(newest) < most - len(best):
            index -= 1
            if index not in best:
                newest.append(index)
        return [self.trials[index] for index in sorted([*best, *newest])]

    def _best(self, indices: Sequence[int]) -> list[int]:
        """Of these trials those that matter most, best first."""
        merit = self.lesson.merit(self.lesson.values([self.trials[index] for index in indices]))
        return [indices[place] for place in pareto.best_first(merit)[: CONDITIONED // 2]]


def _values_at(predicted: Posterior, values: Array) -> Array:
    """Of the trials seen, between the nearest two targets."""
    order = np.argsort(predicted.values, kind="stable")
    return np.asarray(np.interp(predicted.mean, predicted.values[order], values[order]))


def _posterior(eta: float, between: Array, across: Array, values: Array, zero: float) -> Posterior:
    """`between`: correlations of designs seen and in flight; `across`: of children with them."""
    n = len(values)
    process = Process(between[:n, :n], eta, values)
    best = float(process.mean(between[:, :n]).max())
    believed = process.mean(between[n:, :n])
    if not len(believed):
        return Posterior(*process.predict(across), best, values, believed, zero)
    _, deviation = Process(between, eta, np.append(values, believed)).predict(across)
    return Posterior(process.mean(across[:, :n]), deviation, best, values, believed, zero)


def _standard(targets: Array) -> tuple[Array, Array, Array]:
    """Standardised columns, and what was their mean and deviation."""
    mean, spread = targets.mean(0), targets.std(0)
    spread = np.where(spread > 0, spread, 1.0)
    return (targets - mean) / spread, mean, spread


def _left_out(parameters: Hyperparameters, distances: Array, values: Array) -> Array:
    correlation = np.exp(-(distances @ parameters.theta))
    return Process(correlation, parameters.eta, values).left_out()


def rank_correlation(predicted: Array, values: Array) -> float:
    """Spearman's; 0 if one of the two is constant."""
    if np.ptp(values) == 0 or np.ptp(predicted) == 0:
        return 0.0
    return float(spearmanr(predicted, values).statistic)
