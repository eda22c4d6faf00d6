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
        """Notes what was found out for this outcome; a failed training is a result like any."""
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
        """What came of the training with this key, if it was done."""
        return self._trained.get(key)

    def known(self, blueprint: Blueprint, earlier: Outcome | None) -> dict[str, float]:
        """Measures that need not be taken again.

        Args:
            earlier: What came of an equal training.
        """
        known = dict(self._built.get(self.evaluator.building_key(blueprint), {}))
        if earlier is not None:
            names = self.evaluator.taken_by("train")
            known |= {name: earlier.measures[name] for name in names if name in earlier.measures}
        return known
