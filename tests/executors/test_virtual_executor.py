"""Simulated time: workers overlap, outcomes come in the order of the clock, thinking counts."""

import time
from pathlib import Path

import pytest

import evonas
from evonas.blueprint import Blueprint
from evonas.errors import SettingsError
from evonas.executors.virtual_executor import VirtualExecutor
from evonas.runs.ledger import Ledger
from evonas.settings import ExecutorSettings
from evonas.trial import Assignment, Outcome, Trial


class Timed:
    """A trial lasts as many simulated seconds as its seed says."""

    def prepare(self) -> None: ...

    def __call__(self, assignment: Assignment) -> Outcome:
        trial = assignment.trial
        if trial.seed == 13:
            raise ValueError("bad luck")
        return Outcome(trial.number, "complete", seconds=99.0)

    def duration_s(self, trial: Trial) -> float | None:
        return None if trial.seed == 0 else float(trial.seed)


def trial(number: int, seconds: int) -> Assignment:
    return Assignment(Trial(number, (), Blueprint({}), seed=seconds))


def executor(workers: int = 2, charge: bool = False) -> VirtualExecutor:
    settings = ExecutorSettings(name="virtual", charge_proposals=charge)
    return VirtualExecutor(Timed(), settings, workers)


def test_outcomes_come_in_the_order_of_simulated_time() -> None:
    with executor() as two:
        two.submit(trial(0, 50))
        two.submit(trial(1, 10))
        first = two.wait()
        assert (first.number, first.seconds, first.busy_seconds, two.clock()) == (1, 10, 10, 10)
        two.submit(trial(2, 20))
        assert (two.wait().number, two.clock()) == (2, 30)
        two.submit(trial(3, 20))  # ends when the long one does: the lower number comes first
        assert (two.wait().number, two.clock()) == (0, 50)
        assert (two.wait().number, two.clock()) == (3, 50)


def test_more_trials_than_workers_wait_for_a_free_one() -> None:
    with executor() as two:
        for number in range(4):
            two.submit(trial(number, 10))
        assert [(two.wait().number, two.clock()) for _ in range(4)] == [
            (0, 10),
            (1, 10),
            (2, 20),
            (3, 20),
        ]


def test_a_failure_takes_its_simulated_time_and_without_one_trials_take_their_own() -> None:
    with executor(1) as one:
        one.submit(trial(0, 13))
        failed = one.wait()
        assert (failed.error_kind, failed.seconds, one.clock()) == ("error", 13, 13)
        one.submit(trial(1, 0))
        assert (one.wait().seconds, one.clock()) == (99, 112)


@pytest.mark.parametrize("charge", [True, False])
def test_thinking_passes_on_the_clock_only_if_it_is_charged(charge: bool) -> None:
    with executor(1, charge) as one:
        one.submit(trial(0, 5))
        one.wait()
        time.sleep(0.05)
        one.submit(trial(1, 5))
        one.wait()
    thought = one.clock() - 10
    assert 0.05 <= thought < 2 if charge else thought == 0


SPACE = {"values": {"x": {"int": [0, 500]}, "y": {"int": [0, 500]}}}


def distance(values: dict[str, int]) -> float:
    return abs(values["x"] - 100) + abs(values["y"] - 300)


def search(**executor_settings: object) -> evonas.Run:
    return evonas.optimise(
        distance,
        SPACE,
        "distance:min",
        budget={"evaluations": 60},
        evaluator={"duration_mean_s": 600, "duration_cv": 0.5},
        executor={"name": "virtual", "workers": 4, **executor_settings},
    )


def test_a_search_on_the_virtual_clock_repeats_and_is_timed_by_it() -> None:
    first, second = search(charge_proposals=False), search(charge_proposals=False)
    order = list(first.records.outcomes)
    assert order == list(second.records.outcomes) != sorted(order)
    assert [t.chromosome for t, _ in first.trials()] == [t.chromosome for t, _ in second.trials()]
    durations = [outcome.seconds for _, outcome in first.trials() if outcome]
    assert 450 < sum(durations) / 60 < 750
    assert first.seconds == second.seconds
    assert sum(durations) / 4 <= first.seconds < 1.2 * sum(durations) / 4
    assert first.utilisation == pytest.approx(sum(durations) / 4 / first.seconds)


def test_the_ledger_and_the_budget_tell_simulated_time() -> None:
    run = evonas.search(
        {
            "space": "nano",
            "objectives": ["one:max"],
            "run": {"name": "timed"},
            "budget": {"seconds": 100_000, "evaluations": 1000},
            "evaluator": {"duration_mean_s": 10_000, "duration_cv": 0},
            "executor": {"name": "virtual", "workers": 3},
            "display": "none",
        },
        evaluate=lambda blueprint: 1.0,
    )
    assert run.facts["ended"] == "seconds"
    assert run.seconds == pytest.approx(100_000, rel=0.01)
    assert 30 <= run.records.evaluations <= 33
    ledger = Ledger.open(Path("runs/timed/run.db"))
    assert ledger.sessions() == [(3, run.seconds)]
    ledger.close()


@pytest.mark.parametrize(
    ("executor_name", "evaluator", "message"),
    [
        ("inline", {"duration_mean_s": 5}, "need executor=virtual, got executor=inline"),
        ("virtual", {"duration": "seconds"}, "evaluator.duration is for evaluator=table"),
        ("virtual", {"duration_mean_s": 0}, "evaluator.duration_mean_s"),
        ("virtual", {"duration_mean_s": 5, "duration_cv": -1}, "evaluator.duration_cv"),
    ],
)
def test_durations_that_cannot_be_meant_are_told(
    executor_name: str, evaluator: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError) as failure:
        evonas.optimise(distance, SPACE, executor=executor_name, evaluator=evaluator)
    assert message in str(failure.value)
