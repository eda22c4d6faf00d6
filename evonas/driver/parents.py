"""Whose trained weights a child may begin with, and for how long they are kept."""

from evonas.driver.rungs import extrapolated
from evonas.evolution.read_history import fitness_of
from evonas.pareto import best_first
from evonas.runs.records import Records
from evonas.settings import TrainingSettings
from evonas.space.search_space import SearchSpace
from evonas.trial import Trial

MOST_PARENTS = 40  # whose weights are kept: about twice a population
LOOKED_AT = 200  # of the latest designs


class Inheritance:
    """Watches the records of a run in which designs, or some, may inherit."""

    def __init__(self, records: Records, training: TrainingSettings, space: SearchSpace) -> None:
        self.records = records
        self.is_on = training.inherit or "inherit" in space.template["training"]

    def parent(self, trial: Trial) -> int | None:
        """The trial whose weights are those of a parent: the first that had finished by then."""
        if not self.is_on or trial.confirms is not None:
            return None
        records = self.records
        for parent in trial.parents:
            if records.had_finished_before(trial.number, parent):
                return records.trained_by(records.last_trial_of_design(parent))
        return None

    def worth_keeping(self) -> set[int]:
        """Trials whose weights children may ask for: the best of the latest designs."""
        if not self.is_on:
            return set()
        finished = extrapolated(self.records.history()).finished
        usable = [own for own in finished if own.fitness is not None][-LOOKED_AT:]
        best = best_first(fitness_of(usable))[:MOST_PARENTS] if usable else ()
        numbers = [self.records.last_trial_of_design(usable[place].number) for place in best]
        return {self.records.trained_by(number) for number in numbers}
