"""When a search is over, and why it says so."""

from pathlib import Path

import pytest

from evonas.blueprint import Blueprint
from evonas.driver import resume, search
from evonas.driver.stopping import MOST_FREE_IN_A_ROW, Stopping
from evonas.evaluation.objectives import parse_objective
from evonas.runs.records import Records
from evonas.settings import BudgetSettings
from evonas.trial import Outcome, Trial


def records_of(*scores: float, names: tuple[str, ...] = ("score:max",)) -> Records:
    records = Records([parse_objective(name) for name in names], {})
    for score in scores:
        add(records, score)
    return records


def add(records: Records, score: float, cost: float = 1.0, source: int | None = None) -> None:
    number = records.next_number
    records.add_trial(Trial(number, (), Blueprint({}), seed=0), 0)
    measures = {"score": score, "cost": cost}
    records.add_outcome(Outcome(number, "complete", measures, source=source))


def reason(records: Records, in_flight: int = 0, free: int = 0, **budget: object) -> str | None:
    wanted = BudgetSettings.model_validate({"evaluations": 1000, **budget})
    return Stopping(records, wanted).reason(in_flight, 0.0, free)


def test_trials_in_flight_count_against_the_budget() -> None:
    records = records_of(1.0, 2.0)
    assert reason(records, 0, evaluations=3) is None
    assert reason(records, 1, evaluations=3) == "evaluations"


def test_a_target_once_met_stays_met() -> None:
    records = records_of(1.0)
    target = {"score": {"min": 3}}
    stopping = Stopping(records, BudgetSettings.model_validate({"target": target}))
    assert stopping.reason(0, 0.0, 0) is None
    add(records, 3.0)
    add(records, 1.0)
    assert stopping.reason(0, 0.0, 0) == "target"
    add(records, 2.0)
    assert stopping.reason(0, 0.0, 0) == "target"
    assert reason(records, target=target) == "target"


def test_of_one_objective_the_best_must_improve() -> None:
    records = records_of(1.0, 5.0, 2.0, 5.0)
    assert reason(records, stagnation=3) is None
    add(records, 4.0)
    assert reason(records, stagnation=3) == "stagnation"
    add(records, 6.0)
    assert reason(records, stagnation=1) is None


def test_of_two_objectives_the_hypervolume_must_grow() -> None:
    records = records_of(names=("score:max", "cost:min"))
    records.volume.reference_point = (0.0, 10.0)
    add(records, 5.0, 5.0)
    add(records, 6.0, 10.0)  # on the front, but nothing above the reference point
    add(records, 4.0, 6.0)
    assert reason(records, stagnation=2) == "stagnation"
    add(records, 1.0, 4.0)
    assert reason(records, stagnation=2) is None


def test_what_cost_no_training_is_no_evaluation() -> None:
    records = records_of(2.0, 1.0)
    for _ in range(5):
        add(records, 1.0, source=1)
    assert reason(records, stagnation=2) is None
    add(records, 3.0, source=1)
    add(records, 1.0)
    assert reason(records, stagnation=2) is None
    add(records, 1.0)
    assert reason(records, stagnation=2) == "stagnation"


def test_a_search_that_finds_nothing_stagnates() -> None:
    records = records_of()
    for number in range(3):
        records.add_trial(Trial(number, (), Blueprint({}), seed=0), 0)
        records.add_outcome(Outcome(number, "failed", error_kind="error"))
    assert reason(records, stagnation=4) is None
    assert reason(records, stagnation=3) == "stagnation"


def test_free_proposals_in_a_row_end_it() -> None:
    assert reason(records_of(1.0), free=MOST_FREE_IN_A_ROW - 1) is None
    assert reason(records_of(1.0), free=MOST_FREE_IN_A_ROW) == "space exhausted"
    assert reason(records_of(), free=MOST_FREE_IN_A_ROW) == "no feasible design found"


def test_a_space_of_which_all_was_proposed_ends_it_whatever_is_in_flight() -> None:
    records = records_of()
    for number in range(3):
        records.add_trial(Trial(number, (float(number),), Blueprint({}), seed=0), 0)
    assert Stopping(records, BudgetSettings(), designs=4).reason(3, 0.0, 0) is None
    stopping = Stopping(records, BudgetSettings(), designs=3)
    assert stopping.reason(3, 0.0, 0) == "no feasible design found"
    records.add_outcome(Outcome(0, "complete", {"score": 1.0}))
    assert stopping.reason(2, 0.0, 0) == "space exhausted"


@pytest.mark.parametrize("schedule", ["async", "generational"])
def test_a_search_that_stagnated_ends_and_may_be_taken_up_with_more_patience(schedule: str) -> None:
    def best_is_seventh(blueprint: Blueprint) -> float:
        nonlocal calls
        calls += 1
        return float(min(calls, 7))

    calls = 0
    words = ["space=nano", "objectives=score:max", "executor=inline", "display=none"]
    words += [f"schedule={schedule}", "run.name=tired", "budget.evaluations=60"]
    run = search([*words, "budget.stagnation=5"], best_is_seventh)
    assert run.facts["ended"] == "stagnation"
    assert run.records.evaluations == 12
    assert resume(Path("runs/tired"), [], best_is_seventh).records.evaluations == 12
    run = resume(Path("runs/tired"), ["budget.stagnation=8"], best_is_seventh)
    assert run.facts["ended"] == "stagnation"
    assert run.records.evaluations == 15
