"""Which design of a run the words mean."""

from evonas import pareto
from evonas.errors import ExportError
from evonas.evaluation.constraints import violations
from evonas.runs.run import Run
from evonas.settings import parse_limits
from evonas.trial import Outcome, Trial


def picked(run: Run, pick: str, where: str | None = None) -> tuple[Trial, Outcome]:
    """The trial that the words mean.

    Raises:
        ExportError: No design is complete, or none is within the limits.
    """
    if pick.isdigit():
        trial, outcome = run.pair(int(pick))
        if outcome.status != "complete":
            raise ExportError(f"Trial {pick} is {outcome.status}, so there is nothing to export.")
        return trial, outcome
    if pick not in ("knee", "best"):
        raise ExportError(f'"{pick}" picks nothing. Write knee, best or a trial\'s number.')
    limits = parse_limits(where, "--where")
    records = run.records
    numbers = [n for n in records.candidates if not violations(records.measures(n), limits)]
    if not numbers:
        within = f" within {where}" if where else ""
        raise ExportError(f"Run {run.name} has no complete design{within}.")
    fitness = records.fitness_matrix(numbers)
    front = pareto.front(fitness)
    front = front[(-fitness[front, 0]).argsort(kind="stable")]  # of two ends, the knee is the first
    if pick == "best":
        return run.pair(numbers[int(front[0])])
    return run.pair(numbers[int(front[pareto.knee(fitness[front])])])
