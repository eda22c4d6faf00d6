"""When a search is over."""

from evonas.evaluation import is_within
from evonas.runs.records import Records
from evonas.settings import BudgetSettings

MOST_FREE_IN_A_ROW = 1000  # proposals that needed no training before the search gives up


def reason_to_end(
    records: Records, budget: BudgetSettings, in_flight: int, seconds: float, free_in_a_row: int
) -> str | None:
    """Why no further trial is to be proposed; None if one is.

    Args:
        in_flight: Submitted trials that may yet count against the budget.
        seconds: Wall-clock time that drivers have worked on the run.
        free_in_a_row: Latest outcomes that cost no training.
    """
    if records.evaluations + in_flight >= budget.evaluations:
        return "evaluations"
    if budget.seconds is not None and seconds >= budget.seconds:
        return "seconds"
    found = (records.outcomes[number].measures for number in records.feasible)
    if budget.target and any(is_within(measures, budget.target) for measures in found):
        return "target"
    if free_in_a_row >= MOST_FREE_IN_A_ROW:
        return "space exhausted" if records.feasible else "no feasible design found"
    return None
