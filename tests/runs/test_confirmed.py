"""What confirmations change: measures, candidates, front, best and knee; not what evolvers see."""

from collections.abc import Iterable

import pytest

from evonas.blueprint import Blueprint
from evonas.evaluation.objectives import parse_objective
from evonas.runs.confirmed import Confirmed
from evonas.runs.records import Records
from evonas.settings import Limits
from evonas.trial import Outcome, Trial

Point = tuple[float, float]


def searched(*points: Point, limit: float | None = None) -> Records:
    """Complete trials of a score, the higher the better, and a cost."""
    constraints = {} if limit is None else {"cost": Limits(max=limit)}
    records = Records([parse_objective("score:max"), parse_objective("cost:min")], constraints)
    for number, point in enumerate(points):
        add(records, Trial(number, (float(number),), Blueprint({}), seed=number), point)
    return records


def confirm(records: Records, of: int, *points: Point | None) -> Records:
    """Trainings of a trial's design from other seeds; None: a failed one."""
    for point in points:
        number, source = records.next_number, records.trials[of]
        add(records, Trial(number, source.chromosome, Blueprint({}), 0, (of,), confirms=of), point)
    return records


def add(records: Records, trial: Trial, point: Point | None) -> None:
    records.add_trial(trial, len(records.outcomes))
    records.add_outcome(outcome_of(trial.number, point))


def outcome_of(number: int, point: Point | None) -> Outcome:
    if point is None:
        return Outcome(number, "failed", error_kind="diverged")
    return Outcome(number, "complete", {"score": point[0], "cost": point[1]})


def three() -> Records:
    """A front of three: the best was lucky."""
    return searched((0.9, 30.0), (0.8, 20.0), (0.5, 10.0), (0.4, 15.0))


def test_means_and_deviations_are_of_the_fresh_trainings_alone() -> None:
    records = confirm(three(), 0, (0.7, 31.0), (0.8, 29.0))
    found = records.confirmed[0]
    assert (found.number, found.count, found.failed) == (0, 2, 0)
    assert found.means == pytest.approx({"score": 0.75, "cost": 30.0})
    assert found.deviations == pytest.approx({"score": 0.0707107, "cost": 1.4142136})
    assert records.measures(0) == found.means
    assert records.measures(1) == {"score": 0.8, "cost": 20.0}


def test_a_single_training_has_no_deviation() -> None:
    records = confirm(three(), 1, (0.7, 20.0))
    assert records.confirmed[1] == Confirmed(1, 1, {"score": 0.7, "cost": 20.0}, {})


def test_front_best_and_knee_are_of_the_confirmed_alone() -> None:
    records = three()
    assert (records.front, records.best) == ([0, 1, 2], 0)
    confirm(records, 0, (0.7, 30.0))
    assert (records.front, records.best, records.knee) == ([0], 0, 0)
    confirm(records, 1, (0.75, 20.0))
    confirm(records, 3, (0.6, 15.0))
    assert (records.candidates, records.front, records.best) == ([0, 1, 3], [1, 3], 1)
    assert records.knee == 1
    assert records.observed_front == [0, 1, 2]
    assert {0, 1, 2, 3} <= records.worth_keeping()


def test_a_design_of_which_a_training_failed_comes_after_those_of_which_none_did() -> None:
    records = confirm(three(), 0, None, (0.95, 30.0))
    assert (records.confirmed[0].count, records.confirmed[0].failed) == (1, 1)
    assert records.front == [0], "there is no other one"
    confirm(records, 1, (0.6, 20.0))
    assert records.front == [1]


def test_a_design_of_which_all_trainings_failed_is_no_winner() -> None:
    records = confirm(three(), 0, None, None)
    assert records.confirmed[0].count == 0
    assert records.measures(0) == {"score": 0.9, "cost": 30.0}
    assert records.front == [1, 2], "nothing else is confirmed"
    assert records.best == 1


def test_limits_hold_for_means() -> None:
    records = searched((0.9, 29.0), (0.8, 20.0), limit=30.0)
    confirm(records, 0, (0.9, 33.0), (0.9, 29.0))
    confirm(records, 1, (0.8, 31.0), (0.8, 20.0))
    assert records.candidates == [1]


def test_confirmations_are_evaluations_and_no_designs() -> None:
    records = confirm(three(), 0, (0.7, 30.0), None)
    assert (records.evaluations, records.begun, records.designs) == (6, 4, 4)
    assert records.feasible == [0, 1, 2, 3]
    assert records.confirmations == {0: [4, 5]}
    assert (records.counts()["complete"], records.counts()["failed"]) == (5, 1)


def numbers(finished: Iterable[object]) -> list[object]:
    return [getattr(past, "number", None) for past in finished]


def test_evolvers_see_each_design_once_and_as_the_search_observed_it() -> None:
    records = confirm(three(), 0, (0.7, 30.0))
    add(records, Trial(5, (5.0,), Blueprint({}), seed=5), (0.3, 5.0))
    records.add_trial(Trial(6, (0.0,), Blueprint({}), 0, (0,), confirms=0), 6)
    history = records.history()
    assert numbers(history.finished) == [0, 1, 2, 3, 5]
    assert history.finished[0].fitness == (0.9, -30.0)
    assert history.in_flight == {}, "a design that is trained again is none that is expected"
    earlier = records.history(5)
    assert numbers(earlier.finished) == [0, 1, 2, 3]
    assert earlier.in_flight == {5: (5.0,)}


def test_events_are_those_of_the_ledger() -> None:
    records = confirm(three(), 0, (0.7, 30.0))
    add(records, Trial(5, (5.0,), Blueprint({}), seed=5), (0.3, 5.0))
    assert numbers(records.since(3)) == [3, 4, 5]
    records.add_trial(Trial(6, (6.0,), Blueprint({}), seed=6), seen=5)
    assert records.had_finished_before(6, 4)
    assert not records.had_finished_before(6, 5)


def test_generations_count_designs_so_that_confirmations_move_none() -> None:
    records = confirm(three(), 0, (0.7, 30.0))
    add(records, Trial(5, (5.0,), Blueprint({}), seed=5), (0.3, 5.0))
    histories = records.histories
    assert (histories.first_unfinished, histories.finished_in_order) == (6, 5)
    seen = histories.by_number(5).finished
    assert numbers(seen) == [0, 1, 2, 3, 4]
    assert seen[4].chromosome == (5.0,)
    assert [histories.number_of(place, 6) for place in (3, 4, 5)] == [3, 5, 6]
