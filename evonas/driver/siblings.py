"""Designs that differ in compression alone, and the one training that they share."""

from itertools import islice
from pathlib import Path

from evonas.driver.reuse import on_rung
from evonas.driver.teachers import Teachers
from evonas.evaluation.evaluator import Evaluator
from evonas.runs.records import Records
from evonas.runs.run_folder import weights_file
from evonas.space.search_space import SearchSpace
from evonas.trial import Outcome, SharedTraining, Trial

MOST_TRAININGS = 40  # whose weights are kept: the latest, about twice a population


class Siblings:
    """Watches the records of a run; unless its designs differ in compression nothing is shared.

    Which training a trial shares depends on what had finished before it began. Whether the weights
    are still there changes how long it takes, and nothing else.
    """

    def __init__(
        self,
        records: Records,
        evaluator: Evaluator,
        space: SearchSpace,
        folder: Path,
        teachers: Teachers,
    ) -> None:
        self.records = records
        self.evaluator = evaluator
        self.teachers = teachers
        self.folder = folder
        self.is_on = any(gene.key_path[0] == "compression" for gene in space.genes)
        self._having: dict[str, list[int]] = {}  # by training, the trials that have its weights

    def remember(self, trial: Trial, outcome: Outcome) -> None:
        """Notes whose weights a sibling may be made of."""
        if self.is_on and outcome.notes.weights_sha256 is not None:
            self._having.setdefault(self.key(trial), []).append(trial.number)

    def key(self, trial: Trial) -> str:
        """Equal for trials whose training is the same and as long."""
        own = self.evaluator.training_key(trial.blueprint)
        return on_rung(self.teachers.marked(own, trial), trial)

    def shared(self, trial: Trial) -> SharedTraining | None:
        """The training that the trial shares with those before it; None: it is the first."""
        having = self._having.get(self.key(trial)) if self.is_on else None
        if not having:
            return None
        kept = (number for number in having if weights_file(self.folder, number).exists())
        number = next(kept, having[0])
        outcome = self.records.outcomes[number]
        first = self.records.first_trained(number)
        return SharedTraining(
            first,
            self.records.trials[first].seed,
            number,
            outcome.notes.weights_sha256,
            outcome.curve,
            outcome.measures.get("train_seconds", self.records.outcomes[first].seconds),
        )

    def worth_keeping(self) -> set[int]:
        """Trials whose weights siblings may ask for before long."""
        latest = islice(reversed(self._having.values()), MOST_TRAININGS)
        return {having[0] for having in latest}
