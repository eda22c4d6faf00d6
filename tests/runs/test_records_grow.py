"""What the records keep up to date is, after every event, what all events together define."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas import pareto
from evonas.blueprint import Blueprint
from evonas.driver.stopping import Stopping
from evonas.evaluation.constraints import excess, violations
from evonas.evaluation.objectives import Objective, parse_objective
from evonas.runs.archive import Archive
from evonas.runs.records import REFERENCE_TRIALS, TOP_KEPT, Records
from evonas.settings import BudgetSettings, Limits
from evonas.trial import Finished, Outcome, Prefix, Trial

CONSTRAINTS = {"a": Limits(max=7)}


@dataclass
class Naive:
    """The definitions, each by a walk over everything."""

    objectives: tuple[Objective, ...]
    trials: dict[int, Trial] = field(default_factory=dict)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    reference_point: tuple[float, ...] | None = None

    def fitness(self, number: int) -> tuple[float, ...] | None:
        outcome = self.outcomes[number]
        if outcome.status != "complete" or violations(outcome.measures, CONSTRAINTS):
            return None
        return tuple(o.fitness(outcome.measures[o.name]) for o in self.objectives)

    @property
    def feasible(self) -> list[int]:
        return [n for n in self.outcomes if self.fitness(n) is not None]

    @property
    def unfinished(self) -> list[Trial]:
        return [t for n, t in sorted(self.trials.items()) if n not in self.outcomes]

    @property
    def evaluations(self) -> int:
        return sum(not outcome.is_free for outcome in self.outcomes.values())

    def matrix(self, numbers: list[int]) -> pareto.Fitness:
        rows = [self.fitness(n) for n in numbers]
        return np.array(rows, dtype=float).reshape(len(rows), len(self.objectives))

    @property
    def front(self) -> list[int]:
        matrix = self.matrix(self.feasible)
        chosen = pareto.front(matrix)
        order = np.lexsort((chosen, -matrix[chosen, 0]))
        return [self.feasible[chosen[index]] for index in order]

    @property
    def top(self) -> list[int]:
        order = (-self.matrix(self.feasible)[:, 0]).argsort(kind="stable")[:TOP_KEPT]
        return [self.feasible[index] for index in order]

    @property
    def worth_keeping(self) -> set[int]:
        kept = {*self.front, *self.top}
        return kept | {s for n in kept if (s := self.outcomes[n].source) is not None}

    def volume(self, numbers: list[int]) -> float | None:
        if self.reference_point is None:
            return None
        pairs = zip(self.objectives, self.reference_point, strict=True)
        reference = np.array([o.fitness(value) for o, value in pairs])
        return pareto.hypervolume(self.matrix(numbers), reference)

    @property
    def counts(self) -> dict[str, int]:
        names = ("complete", "failed", "infeasible", "filtered", "pruned", "cached", "running")
        counts = dict.fromkeys(names, 0)
        for outcome in self.outcomes.values():
            counts["cached" if outcome.source is not None else outcome.status] += 1
        counts["running"] = len(self.trials) - len(self.outcomes)
        return counts

    def freeze(self, by_number: bool) -> bool:
        numbers = self.feasible
        if by_number:
            end = next(n for n in range(10**6) if n not in self.outcomes)
            numbers = [n for n in sorted(numbers) if n < end]
        if self.reference_point is not None or len(numbers) < REFERENCE_TRIALS:
            return False
        worst = self.matrix(numbers[:REFERENCE_TRIALS]).min(0)
        pairs = zip(self.objectives, worst, strict=True)
        self.reference_point = tuple(float(o.fitness(float(value))) for o, value in pairs)
        return True

    @property
    def stagnant(self) -> int:
        """Evaluations after the last event at which something better was there."""
        grown, spent, found = 0, 0, list[int]()
        for number, outcome in self.outcomes.items():
            spent += not outcome.is_free
            if self.fitness(number) is not None:
                before, found = found, [*found, number]
                grown = spent if self.is_better(before, number) else grown
        return spent - grown

    def is_better(self, before: list[int], number: int) -> bool:
        if len(self.objectives) == 1:
            return not before or self.matrix([number]).max() > self.matrix(before).max()
        if self.reference_point is None:
            matrix = self.matrix([*before, number])
            return len(before) in pareto.front(matrix)
        old, new = self.volume(before), self.volume([*before, number])
        assert old is not None
        assert new is not None
        return new > old


def assert_equal(records: Records, naive: Naive) -> None:
    assert records.next_number == max(naive.trials, default=-1) + 1
    assert records.unfinished == naive.unfinished
    assert records.evaluations == naive.evaluations
    assert records.feasible == naive.feasible
    assert records.front == naive.front
    assert records.best == next(iter(naive.front), None)
    assert records.worth_keeping() == naive.worth_keeping
    assert records.volume.reference_point == naive.reference_point
    assert records.volume.value == naive.volume(naive.feasible)
    assert records.counts() == naive.counts
    assert records.stagnant == naive.stagnant
    past = [
        Finished(
            n,
            naive.trials[n].chromosome,
            naive.fitness(n),  # as it was seen at the time
            excess(outcome.measures, records.constraints),
        )
        for n, outcome in naive.outcomes.items()
    ]
    chromosomes = {n: trial.chromosome for n, trial in naive.trials.items()}
    history = records.history()
    assert history.finished == past
    assert history.in_flight == {t.number: t.chromosome for t in naive.unfinished}
    half = len(past) // 2
    earlier = records.history(half)
    assert earlier.finished == past[:half]
    seen = {finished.number for finished in past[:half]}
    assert earlier.in_flight == {n: c for n, c in chromosomes.items() if n not in seen}
    whole = next(n for n in range(10**6) if n not in naive.outcomes)
    assert records.histories.first_unfinished == whole
    by_number = {finished.number: finished for finished in past}
    assert records.histories.by_number(whole).finished == [by_number[n] for n in range(whole)]


STATUSES = st.sampled_from(
    ["complete"] * 8 + ["failed", "infeasible", "filtered", "pruned", "cached"]
)
# Whole numbers, few of them: many are equal, and volumes are exact.
VALUE = st.integers(min_value=0, max_value=9).map(float)
EVENTS = st.lists(
    st.tuples(st.integers(0, 3), STATUSES, st.tuples(VALUE, VALUE, VALUE)), max_size=45
)


def play(
    events: list[tuple[int, str, tuple[float, ...]]], names: tuple[str, ...], by_number: bool
) -> Iterator[tuple[Records, Naive]]:
    """Up to four trials in flight; each event finishes one of them."""
    objectives = tuple(parse_objective(name) for name in names)
    records, naive = Records(objectives, CONSTRAINTS), Naive(objectives)
    for place, status, values in events:
        while len(naive.unfinished) < 4:
            number = len(naive.trials)
            trial = Trial(number, (float(number % 7),), Blueprint({}), seed=0)
            naive.trials[number] = trial
            records.add_trial(trial, len(naive.outcomes))
        outcome = outcome_of(naive.unfinished[place].number, status, values, naive)
        naive.outcomes[outcome.number] = outcome
        records.add_outcome(outcome)
        yield records, naive
        assert records.freeze_reference_point({}, by_number) == naive.freeze(by_number)
        yield records, naive


def outcome_of(number: int, status: str, values: tuple[float, ...], naive: Naive) -> Outcome:
    measures: Mapping[str, float] = dict(zip("abc", values, strict=True))
    if status == "cached":
        source = next(iter(naive.outcomes), None)
        return Outcome(number, "complete", measures, source=source)
    if status == "complete":
        return Outcome(number, "complete", measures)
    return Outcome(number, status, error_kind="error")  # type: ignore[arg-type]


@pytest.mark.parametrize("names", [("a:max",), ("a:max", "b:min"), ("a:min", "b:max", "c:min")])
@given(EVENTS, st.booleans())
@settings(max_examples=60, deadline=None)
def test_all_is_as_defined_after_every_event(
    names: tuple[str, ...], events: list[tuple[int, str, tuple[float, ...]]], by_number: bool
) -> None:
    for records, naive in play(events, names, by_number):
        assert_equal(records, naive)


@given(EVENTS, st.booleans())
@settings(max_examples=30, deadline=None)
def test_records_that_are_read_again_are_the_same(
    events: list[tuple[int, str, tuple[float, ...]]], by_number: bool
) -> None:
    played = list(play(events, ("a:max", "b:min"), by_number))
    if not played:
        return
    _, naive = played[-1]
    again = Records(naive.objectives, CONSTRAINTS)
    for trial in naive.trials.values():
        again.add_trial(trial, 0)
    for outcome in naive.outcomes.values():
        again.add_outcome(outcome)
    if naive.reference_point is not None:
        again.volume.reference_point = naive.reference_point
    assert_equal(again, naive)


FLOAT = st.floats(min_value=-1e6, max_value=1e6, allow_subnormal=False)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_the_archive_is_the_front_to_the_last_bit(dimensions: int, data: st.DataObject) -> None:
    point = st.tuples(*[FLOAT] * dimensions)
    points = data.draw(st.lists(point, min_size=1, max_size=25))
    reference = np.array(data.draw(point))
    archive = Archive(dimensions)
    for number, values in enumerate(points):
        archive.add(number, values)
        matrix = np.array(points[: number + 1])
        assert [number for number, _ in archive.members] == list(pareto.front(matrix))
        assert archive.hypervolume(reference) == pareto.hypervolume(matrix, reference)


class NotWalked(dict[Any, Any]):
    """A mapping that one may look into, however large, but never go through."""

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("an event must not cost more for those before it")

    keys = values = items = __iter__  # type: ignore[assignment]


def test_no_event_walks_over_those_before_it() -> None:
    objectives = tuple(parse_objective(name) for name in ("a:max", "b:min"))
    records = Records(objectives, CONSTRAINTS)
    records.trials, records.outcomes, records.seen = NotWalked(), NotWalked(), NotWalked()
    budget = BudgetSettings.model_validate({"target": {"a": {"min": 9}}, "stagnation": 1000})
    stopping = Stopping(records, budget)
    for number in range(40):
        records.add_trial(Trial(number, (), Blueprint({}), seed=0), number)
        records.add_outcome(Outcome(number, "complete", {"a": number % 9, "b": number % 7}))
        records.freeze_reference_point({}, by_number=number % 2 == 0)
        assert len(records.history().finished) == number + 1
        assert len(records.histories.by_number(number).finished) == number
        assert stopping.reason(0, 0.0, 0) is None
        assert records.counts()["complete"] == records.next_number == records.evaluations
        assert records.unfinished == []
        assert records.front
        assert records.best in records.worth_keeping()
    assert records.volume.value


def test_histories_share_lists_that_only_grow() -> None:
    objectives = (parse_objective("a:max"),)
    records = Records(objectives, {})
    histories, by_number = [records.history()], [records.histories.by_number(0)]
    for number in range(5):
        records.add_trial(Trial(number, (), Blueprint({}), seed=0), number)
        histories.append(records.history())
        records.add_outcome(Outcome(number, "complete", {"a": float(number)}))
        by_number.append(records.histories.by_number(number + 1))
    for group in (histories, by_number):
        prefixes = [history.finished for history in group]
        assert all(isinstance(prefix, Prefix) for prefix in prefixes)
        assert len({id(prefix.items) for prefix in prefixes}) == 1  # type: ignore[attr-defined]
        assert [len(prefix) for prefix in prefixes] == sorted(len(p) for p in prefixes)
    assert dict(histories[1].in_flight) == {0: ()}
    assert len(histories[-1].finished) == 4
