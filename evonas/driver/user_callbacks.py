"""Functions of the user's that are told of each finished trial and of each generation."""

from collections.abc import Callable
from typing import Any

from evonas.evolution import Evolver
from evonas.runs.run import Run
from evonas.trial import Outcome, Trial

OnTrial = Callable[[Trial, Outcome], Any]
OnGeneration = Callable[[int, Run], Any]


class Callbacks:
    """Calls them when what they are told of is on record; what they raise ends the search.

    A generation is over when as many designs are finished as it and those before it have,
    whichever they are: without `schedule=generational` none waits for another.

    Args:
        how_to_go_on: A note on what they raise; empty if there is no way.
    """

    def __init__(
        self,
        on_trial: OnTrial | None,
        on_generation: OnGeneration | None,
        how_to_go_on: str = "",
    ) -> None:
        self.on_trial = on_trial
        self.on_generation = on_generation
        self.how_to_go_on = how_to_go_on
        self._designs = self._generations = 0  # that are finished

    def begin(self, run: Run, evolver: Evolver) -> None:
        """Counts what is on record already, of which nothing is told again."""
        self.run, self.evolver = run, evolver
        for number in run.records.outcomes:
            self._count(number)

    def finished(self, outcome: Outcome) -> None:
        """A trial has its outcome."""
        try:
            if self.on_trial is not None:
                self.on_trial(self.run.records.trials[outcome.number], outcome)
            if self._count(outcome.number) and self.on_generation is not None:
                self.on_generation(self._generations - 1, self.run)
        except Exception as problem:
            if self.how_to_go_on:
                problem.add_note(self.how_to_go_on)
            raise

    def _count(self, number: int) -> bool:
        """Whether a generation is over with this trial; only new designs count."""
        trial = self.run.records.trials[number]
        if trial.continues is not None or trial.confirms is not None:
            return False
        self._designs += 1
        is_over = self._designs == self._end
        self._generations += is_over
        return is_over

    @property
    def _end(self) -> int:
        """How many designs the current generation and those before it have."""
        return self.evolver.generation(self._designs - 1).stop
