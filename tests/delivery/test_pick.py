"""Which design the words mean, why, and what others would cost."""

from pathlib import Path
from typing import Any

import pytest
from conftest import problems_of

import evonas
from evonas.delivery.pick import RULES, front_within, picked
from evonas.runs import Run

POINTS = [(0.99, 5.0), (0.98, 2.0), (0.9, 1.8), (0.7, 1.0), (0.6, 4.0)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Designs with these measures, which have no noise."""
    points = iter(POINTS)

    def measures(values: Any) -> dict[str, float]:
        return dict(zip(("accuracy", "latency_ms"), next(points), strict=True))

    space = {"values": {"x": {"float": [0, 1]}}}
    budget = {"evaluations": len(POINTS)}
    found: Run = evonas.optimise(measures, space, "accuracy,latency_ms", budget=budget)
    return found


def test_each_rule_has_its_design_and_says_so(run: Run) -> None:
    found = {rule: picked(run, rule) for rule in RULES}
    assert {rule: pick.trial.number for rule, pick in found.items()} == {
        **{"knee": 1, "best": 0, "balanced": 1}
    }
    assert found["knee"].why == "the knee of a front of 4 designs"
    assert found["best"].why == "the best by accuracy"
    assert found["balanced"].why == "the most balanced of a front of 4 designs"


def test_neighbours_are_what_more_and_less_would_cost(run: Run) -> None:
    told = [other["told"] for other in picked(run, "knee").others]
    assert told == [
        "Trial 0 has 1 point more accuracy for 3 ms more latency_ms.",
        "Trial 2 has 0.2 ms less latency_ms for 8 points less accuracy.",
    ]
    (only,) = picked(run, "best").others
    assert only["number"] == 1
    assert only["differences"]["latency_ms"] == pytest.approx(-3)


def test_limits_make_a_front_of_their_own(run: Run) -> None:
    assert front_within(run, "latency_ms.max=1.9") == [2, 3]
    pick = picked(run, "knee", "latency_ms.max=1.9")
    assert (pick.trial.number, pick.why) == (
        2,
        "the best by accuracy of a front of 2 designs, which has no knee",
    )
    assert picked(run, "best", "latency_ms.max=1").why == "the best by accuracy"
    assert picked(run, "knee", "latency_ms.max=1").why == "the only design on the front"


def test_a_number_needs_no_reason(run: Run) -> None:
    pick = picked(run, "4")
    assert (pick.trial.number, pick.to_dict()) == (4, {"why": "", "others": []})
    assert problems_of(picked, run, "worst") == [
        '"worst" picks nothing. Write knee, best, balanced or a trial\'s number.'
    ]
    assert problems_of(picked, run, "knee", "accuracy.min=1") == [
        f"Run {run.name} has no complete design within accuracy.min=1."
    ]


def test_a_run_shows_the_same_knee(run: Run) -> None:
    assert run.knee == run.pair(1)
    assert [trial.number for trial, _ in run.front] == [0, 1, 2, 3]
    assert run.alike == {}
    assert isinstance(run.folder, Path)
