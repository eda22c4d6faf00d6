"""What earlier trials have found out and later ones need not pay for again."""

from evonas.blueprint import Blueprint
from evonas.driver.teachers import Teachers
from evonas.evaluation.evaluator import Evaluator
from evonas.evaluation.measures import OF_TRAINED
from evonas.trial import Outcome, Trial


class Reuse:
    """Outcomes by what makes them equal, and measures of the built network by its key."""

    def __init__(self, evaluator: Evaluator, teachers: Teachers) -> None:
        self.evaluator = evaluator
        self.teachers = teachers
        self._equal: dict[str, Outcome] = {}
        self._built: dict[str, dict[str, float]] = {}

    def remember(self, trial: Trial, outcome: Outcome) -> None:
        """Notes what was found out for this outcome; a failed training is a result like any."""
        names = self.evaluator.taken_by("train")
        is_short = outcome.status == "pruned" and all(name in outcome.measures for name in names)
        if not outcome.is_free and (is_short or outcome.status in ("complete", "failed")):
            key = self.key(trial)
            self._equal.setdefault(key, outcome)
        names = self.evaluator.taken_by("build")
        if names and all(name in outcome.measures for name in names):
            built = {name: outcome.measures[name] for name in names}
            self._built.setdefault(self.evaluator.building_key(trial.blueprint), built)

    def key(self, trial: Trial) -> str:
        """Equal for trials that come to the same: trained as long, and compressed alike."""
        own = self.evaluator.outcome_key(trial.blueprint)
        return on_rung(self.teachers.marked(own, trial), trial)

    def equal(self, key: str) -> Outcome | None:
        """What came of the trial with this key that was evaluated, if one was."""
        return self._equal.get(key)

    def known(self, blueprint: Blueprint, earlier: Outcome | None) -> dict[str, float]:
        """Measures that need not be taken again.

        Args:
            earlier: What came of an equal trial.
        """
        known = dict(self._built.get(self.evaluator.building_key(blueprint), {}))
        if earlier is not None:
            names = (n for n in self.evaluator.recorded if self.evaluator.cost_of(n) in OF_TRAINED)
            known |= {name: earlier.measures[name] for name in names if name in earlier.measures}
        return known


def on_rung(key: str, trial: Trial) -> str:
    """The key of what is trained as long as the trial."""
    return f"{key}-{trial.rung}" if trial.rung else key
