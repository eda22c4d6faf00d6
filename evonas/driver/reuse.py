"""What earlier trials have found out and later ones need not pay for again."""

from evonas.blueprint import Blueprint
from evonas.evaluation.evaluator import Evaluator
from evonas.trial import Outcome, Trial


class Reuse:
    """Trainings by training key, and measures of the built network by its key."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._trained: dict[str, Outcome] = {}
        self._built: dict[str, dict[str, float]] = {}

    def remember(self, trial: Trial, outcome: Outcome) -> None:
        """Notes what this outcome paid for; a failed training is a result like any other."""
        names = self.evaluator.taken_by("train")
        is_short = outcome.status == "pruned" and all(name in outcome.measures for name in names)
        if not outcome.is_free and (is_short or outcome.status in ("complete", "failed")):
            key = self.key(trial)
            self._trained.setdefault(key, outcome)
        names = self.evaluator.taken_by("build")
        if names and all(name in outcome.measures for name in names):
            built = {name: outcome.measures[name] for name in names}
            self._built.setdefault(self.evaluator.building_key(trial.blueprint), built)

    def key(self, trial: Trial) -> str:
        """Equal for trials whose training is the same and as long."""
        key = self.evaluator.training_key(trial.blueprint)
        return f"{key}-{trial.rung}" if trial.rung else key

    def training(self, key: str) -> Outcome | None:
        """The outcome that paid for the training with this key, if one did."""
        return self._trained.get(key)

    def known(self, blueprint: Blueprint, paid: Outcome | None) -> dict[str, float]:
        """Measures that need not be taken again."""
        known = dict(self._built.get(self.evaluator.building_key(blueprint), {}))
        if paid is not None:
            names = self.evaluator.taken_by("train")
            known |= {name: paid.measures[name] for name in names if name in paid.measures}
        return known
