"""Leaves out designs that are not worth a training, by a score of the untrained network."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evonas.blueprint import Blueprint
from evonas.errors import EvonasError
from evonas.evaluation.bench import Bench
from evonas.evaluation.proxies import PROXIES
from evonas.evolution.learner import rank_correlation
from evonas.registry import unknown_name
from evonas.runs.records import Records
from evonas.settings import FilterSettings, Settings
from evonas.trial import Outcome, Trial

SCORES = (*PROXIES, "parameters", "macs")  # what `filter.proxy` may name; larger is better
LATEST = 50  # scores that a new one is compared with
FEWEST = 12  # trained designs that tell a correlation; until then the filter only watches
FILTER_STREAM = 2  # its draws of a trial are apart from others


def check_filter(settings: Settings) -> Iterator[str]:
    """What is wrong with the filter's settings, in words."""
    own = settings.filter
    if own.proxy is None:
        for key in sorted(own.model_fields_set - {"proxy"}):
            if getattr(own, key) != getattr(FilterSettings(), key):
                yield f"filter.{key} has no effect without a score. Name one: filter.proxy=synflow."
        return
    if own.proxy not in SCORES:
        yield f"filter.proxy: {unknown_name(SCORES, own.proxy, 'score')}"
    if not settings.evaluator.trains:
        yield (
            f"filter.proxy={own.proxy} needs evaluator=train, got evaluator="
            f"{settings.evaluator.name}."
        )


@dataclass(frozen=True)
class Scored:
    """A finished design: its score, and if it was trained the fitness of the first objective."""

    number: int
    score: float
    fitness: float | None


class ProxyFilter:
    """Watches the records of a run; without a proxy in the settings everything is trained.

    Whether a trial is trained depends on its number, seed and score and on what had finished when
    it was proposed: so a resumed run decides as one that was never interrupted.

    Args:
        bench: Puts a design with a seed on the bench (see `Evaluator.bench`).
    """

    def __init__(
        self,
        records: Records,
        settings: FilterSettings,
        bench: Callable[[Blueprint, int], Bench | None],
    ) -> None:
        self.records = records
        self.settings = settings
        self._bench = bench
        self._events: list[Scored | None] = []  # one for each finished trial that was looked at

    def scored(self, trial: Trial, known: Mapping[str, float]) -> dict[str, float]:
        """The trial's score by its name, taken unless it is known; nothing if none is asked for.

        A design that cannot be scored has none, and is trained: it will say what is wrong.
        """
        proxy = self.settings.proxy
        if proxy is None or trial.continues is not None or proxy in known:
            return {}
        bench = self._bench(trial.blueprint, trial.seed)
        try:
            return {} if bench is None else {proxy: bench.take(proxy)}
        except (EvonasError, RuntimeError):
            return {}

    def dropped(self, trial: Trial, known: Mapping[str, float]) -> Outcome | None:
        """The outcome of a trial that is not worth a training; None if it is to be trained."""
        proxy = self.settings.proxy
        if proxy is None or proxy not in known or trial.continues is not None:
            return None
        seen = self._seen(self.records.seen[trial.number])
        latest = [scored.score for scored in seen[-LATEST:]]
        correlation = correlation_of(seen)
        is_trained = (
            correlation is None
            or correlation < self.settings.correlation
            or not is_among_worst(known[proxy], latest, self.settings.share)
            or is_trusted(trial, self.settings.trust)
        )
        if is_trained:
            return None
        said = f"{proxy} is {known[proxy]:.6g}, among the worst {self.settings.share:.0%} of late"
        facts = {"proxy": proxy, "correlation": correlation}
        return Outcome(trial.number, "filtered", known, error_text=said, details={"filter": facts})

    def _seen(self, events: int) -> list[Scored]:
        """What so many finished trials tell, by number."""
        self._events += map(self._told, self.records.since(len(self._events)))
        told = [event for event in self._events[:events] if event is not None]
        return sorted(told, key=lambda scored: scored.number)

    def _told(self, outcome: Outcome) -> Scored | None:
        """Repeats, promotions, confirmations and what failed or was infeasible tell nothing."""
        trial, measures = self.records.trials[outcome.number], outcome.measures
        is_new = outcome.source is None and trial.continues is None and trial.confirms is None
        proxy = self.settings.proxy
        is_measured = outcome.status in ("complete", "pruned", "filtered")
        if not is_new or not is_measured or proxy is None or proxy not in measures:
            return None
        objective = self.records.objectives[0]
        fitness = None
        if outcome.status != "filtered" and objective.name in measures:
            fitness = objective.fitness(measures[objective.name])
        return Scored(outcome.number, measures[proxy], fitness)


def is_among_worst(score: float, latest: Sequence[float], share: float) -> bool:
    """True if the score is in the worst share of itself and the latest; equal ones are below it.

    >>> [is_among_worst(score, [1, 2, 3], 0.5) for score in (0.5, 1.5, 2.5, 3)]
    [True, True, False, False]
    """
    rank = 1 + sum(other <= score for other in latest)
    return rank <= share * (len(latest) + 1)


def is_trusted(trial: Trial, trust: int) -> bool:
    """True for one trial in `trust`, drawn with its seed."""
    rng = np.random.default_rng(np.random.SeedSequence([trial.seed, FILTER_STREAM]))
    return bool(rng.random() < 1 / trust)


def correlation_of(seen: Sequence[Scored]) -> float | None:
    """Spearman's, of score and fitness of what was trained; None of too few, 0 of equal ones."""
    trained = [(scored.score, scored.fitness) for scored in seen if scored.fitness is not None]
    if len(trained) < FEWEST:
        return None
    return rank_correlation(*np.array(trained).T)
