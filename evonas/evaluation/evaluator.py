"""What every evaluator is: one trial in, one outcome out, in whatever process it is called."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evonas.blueprint import Blueprint
from evonas.evaluation.bench import Bench
from evonas.evaluation.constraints import violations
from evonas.evaluation.measures import Cost, needs_of
from evonas.evaluation.objectives import (
    Objective,
    asked_measures,
    derived_measures,
    taken_measures,
)
from evonas.settings import Settings
from evonas.trial import Assignment, Outcome, Trial

DURATION_STREAM = 1  # durations and noise of a trial are drawn apart


@dataclass(frozen=True)
class Evaluator(ABC):
    """Can be sent to another process; what it loads there it loads in `prepare` or when asked."""

    settings: Settings
    objectives: tuple[Objective, ...]

    @abstractmethod
    def __call__(self, assignment: Assignment) -> Outcome:
        """Evaluates; raises TrialFailure, or anything, for a design that fails by itself."""

    @abstractmethod
    def prepare(self) -> None:
        """Loads in a fresh worker what every trial needs, so that no trial is charged for it."""

    @abstractmethod
    def training_key(self, blueprint: Blueprint) -> str:
        """Equal for designs whose training is the same: of these, one is trained."""

    def outcome_key(self, blueprint: Blueprint) -> str:
        """Equal for designs of which the same is made after it too: of these, one is evaluated."""
        return self.training_key(blueprint)

    def building_key(self, blueprint: Blueprint) -> str:
        """Equal for designs whose built network is the same at the scale that is measured."""
        return blueprint.fingerprint

    def bench(self, design: Blueprint, seed: int = 0) -> Bench | None:
        """The design on the bench; None if designs have no measures but those of `__call__`.

        Args:
            seed: Of the untrained network.
        """
        return None

    def count(self, blueprint: Blueprint) -> Mapping[str, float]:
        """The measures that cost nothing, taken by the driver before a trial is submitted."""
        return {}

    def duration_s(self, trial: Trial) -> float | None:
        """Simulated seconds of a trial (`executor=virtual`); None: as long as it really takes.

        They are lognormal with the mean and the coefficient of variation of the settings, drawn
        with the trial's seed.
        """
        own = self.settings.evaluator
        if own.duration_mean_s is None:
            return None
        spread = math.log1p(own.duration_cv**2)
        rng = np.random.default_rng(np.random.SeedSequence([trial.seed, DURATION_STREAM]))
        normal = rng.standard_normal()
        return own.duration_mean_s * math.exp(math.sqrt(spread) * normal - spread / 2)

    def scale_of(self, measure: str) -> str:
        """The scale that a measure describes: "full", "proxy", both, or "" without scales."""
        return ""

    def cost_of(self, measure: str) -> Cost:
        """What it takes to know a measure; a function and a row of a table give all at once."""
        return "train"

    def taken_by(self, cost: Cost) -> list[str]:
        """Names of the measures of this cost: known together or not at all."""
        return [name for name in self.measured if self.cost_of(name) == cost]

    @property
    def measured(self) -> Sequence[str]:
        """Names of all measures that are taken for a complete outcome."""
        return taken_measures(self.settings, self.objectives)

    @property
    def recorded(self) -> Sequence[str]:
        """Names of all measures that a complete outcome may have."""
        return self.measured

    @property
    def asked(self) -> Sequence[str]:
        """Names of all measures that the search asks for, be they taken or computed from such."""
        return asked_measures(self.settings, self.objectives)

    def derived(self, measures: Mapping[str, float]) -> dict[str, float]:
        """What is asked for and can be computed from these measures.

        It is computed afresh for each design: equal trainings may have other latencies.
        """
        return derived_measures(self.asked, measures, self.settings)

    def is_complete(self, measures: Mapping[str, float]) -> bool:
        """True if nothing is left to measure."""
        return all(name in measures for name in self.measured)

    def checked(self, outcome: Outcome) -> Outcome:
        """The outcome with what is derived from its measures.

        A complete one has failed if a measure is missing or not finite.
        """
        measures = {**outcome.measures, **self.derived(outcome.measures)}
        names = dict.fromkeys([*self.measured, *self.asked])
        wrong = [name for name in names if not math.isfinite(measures.get(name, math.nan))]
        if outcome.status != "complete" or not wrong:
            return replace(outcome, measures=measures)
        values = ", ".join(_said(name, measures) for name in wrong)
        return replace(
            outcome, status="failed", measures={}, error_kind="diverged", error_text=values
        )

    def infeasible(self, number: int, measures: Mapping[str, float]) -> Outcome | None:
        """The outcome of a design that breaks a constraint on what is measured so far."""
        measures = {**measures, **self.derived(measures)}
        broken = violations(measures, self.settings.constraints)
        if not broken:
            return None
        return Outcome(number, "infeasible", measures, error_text="; ".join(broken))


def _said(name: str, measures: Mapping[str, float]) -> str:
    """A wrong measure, in words."""
    given = ", ".join(f"{need} is {measures.get(need)}" for need in needs_of(name))
    return given if needs_of(name) == (name,) else f"{name} has no value where {given}"
