"""When a search is over."""

import math

from evonas.evaluation.constraints import is_within
from evonas.runs.records import Records
from evonas.settings import BudgetSettings

MOST_FREE_IN_A_ROW = 1000  # proposals that needed no training before the search gives up


class Stopping:
    """Watches the records of a run; asking costs no more for what it has looked at before.

    Args:
        designs: How many different ones there are, at most: equal ones may be counted twice.
    """

    def __init__(self, records: Records, budget: BudgetSettings, designs: float = math.inf) -> None:
        self.records = records
        self.budget = budget
        self.designs = designs
        self._looked_at = 0  # finished trials
        self._is_target_met = False

    def spent(self, in_flight: int, seconds: float, reserved: int = 0) -> str | None:
        """Which part of the budget is spent but for so many evaluations; None if no part is.

        Args:
            in_flight: Submitted trials that may yet count against the budget.
            seconds: Wall-clock time that drivers have worked on the run. Those that are reserved
                take as long as those so far.
        """
        budget, done = self.budget, self.records.evaluations
        if done + in_flight >= budget.evaluations - reserved:
            return "evaluations"
        needed = seconds * reserved / done if done else 0.0
        if budget.seconds is not None and seconds + needed >= budget.seconds:
            return "seconds"
        return None

    def reason(
        self, in_flight: int, seconds: float, free_in_a_row: int, reserved: int = 0
    ) -> str | None:
        """Why no further design is to be proposed; None if one is.

        Args:
            in_flight: See `spent`, as for `seconds` and `reserved`.
            free_in_a_row: Latest outcomes that cost no training.
        """
        budget, records = self.budget, self.records
        spent = self.spent(in_flight, seconds, reserved)
        if spent is not None:
            return spent
        if self._meets_target():
            return "target"
        if budget.stagnation is not None and records.stagnant >= budget.stagnation:
            return "stagnation"
        if records.designs >= self.designs or free_in_a_row >= MOST_FREE_IN_A_ROW:
            return "space exhausted" if records.feasible else "no feasible design found"
        return None

    def _meets_target(self) -> bool:
        """True from the first feasible trial on that is within the limits."""
        if not self.budget.target:
            return False
        for outcome in self.records.since(self._looked_at):
            self._looked_at += 1
            is_design = self.records.trials[outcome.number].confirms is None
            is_feasible = outcome.status == "complete" and self.records.fitness(outcome) is not None
            is_within_target = is_within(outcome.measures, self.budget.target)
            self._is_target_met |= is_design and is_feasible and is_within_target
        return self._is_target_met
