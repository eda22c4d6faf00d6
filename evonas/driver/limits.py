"""Limits of constraints and targets that no design can keep, told before a run is made."""

from collections.abc import Iterable, Iterator, Mapping

from evonas.evaluation.measures import MEASURES
from evonas.evaluation.objectives import Objective
from evonas.settings import Limits, Settings


def check_limits(settings: Settings, objectives: Iterable[Objective]) -> Iterator[str]:
    """What is wrong with them, in words.

    Bounds of measures are those of trainings: a table may have its accuracy in percent.
    """
    yield from _confirmation(settings)
    constraints, target = settings.constraints, settings.budget.target
    if settings.evaluator.trains:
        yield from _beyond_bounds("constraints", constraints)
        yield from _beyond_bounds("budget.target", target)
    for name in target:
        if name in constraints:
            yield from _apart(name, target[name], constraints[name])
    for objective in objectives:
        if objective.name in target:
            yield from _wrong_end(objective, target[objective.name])


def _confirmation(settings: Settings) -> Iterator[str]:
    """A last part that leaves nothing for the search."""
    confirm, budget = settings.confirm, settings.budget.evaluations
    if confirm.top and confirm.top * confirm.seeds >= budget:
        yield (
            f"confirm.top={confirm.top} with confirm.seeds={confirm.seeds} takes "
            f"{confirm.top * confirm.seeds} of budget.evaluations={budget}, and leaves none for "
            "the search. Lower the former, or raise the budget."
        )


def _beyond_bounds(group: str, limits: Mapping[str, Limits]) -> Iterator[str]:
    for name, limit in limits.items():
        if name not in MEASURES:
            continue
        low, high = MEASURES[name].bounds
        if limit.min is not None and limit.min > high:
            yield f"{group}.{name}.min={limit.min:g}: {name} is never above {high:g}. Lower it."
        if limit.max is not None and limit.max < low:
            yield f"{group}.{name}.max={limit.max:g}: {name} is never below {low:g}. Raise it."


def _apart(name: str, target: Limits, constraint: Limits) -> Iterator[str]:
    """A target that only designs reach that a constraint excludes, which do not count."""
    ways = (
        (target.min, "min", constraint.max, "max", 1),
        (target.max, "max", constraint.min, "min", -1),
    )
    for aim, end, limit, other, sign in ways:
        if aim is not None and limit is not None and sign * aim > sign * limit:
            yield (
                f"budget.target.{name}.{end}={aim:g} is out of reach of "
                f"constraints.{name}.{other}={limit:g}. Change one of them."
            )


def _wrong_end(objective: Objective, target: Limits) -> Iterator[str]:
    """A target that says only how bad the objective is to be: the worst designs would meet it."""
    better, worse = ("min", "max") if objective.direction == "maximise" else ("max", "min")
    value = getattr(target, worse)
    if value is not None and getattr(target, better) is None:
        name = f"budget.target.{objective.name}"
        yield (
            f"{name}.{worse}={value:g}: {objective.name} is {objective.direction}d, and this is "
            f"met by all that is worse. Write {name}.{better}={value:g}."
        )
