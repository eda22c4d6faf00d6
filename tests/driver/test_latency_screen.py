"""Designs that are left out because they would be too slow: which, when, and after a resume."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from evonas.blueprint import Blueprint, plan_network
from evonas.driver.latency_screen import FEWEST, LatencyScreen, check_screen, length_to_learn
from evonas.evaluation.kit import compression_of
from evonas.evaluation.objectives import parse_objective
from evonas.models import count
from evonas.networks.plan import Plan
from evonas.runs.records import Records
from evonas.settings import CompressionSettings, Limits, Settings, Words
from evonas.space import SearchSpace, load_space
from evonas.trial import Outcome, Trial

LIMIT_MS = 1.0


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return load_space("nano")


class Search:
    """A run whose latencies follow the work of the networks."""

    def __init__(self, space: SearchSpace, *words: str) -> None:
        self.space = space
        given = ["space=nano", f"constraints.latency_ms.max={LIMIT_MS}", *words]
        self.settings = Words(["latency.predictor=true", *given]).read()[0]
        self.records = Records([parse_objective("loss:min")], self.settings.constraints)
        self.rng = np.random.default_rng(0)
        self.typical = np.median([count(self.plan(self.design())).macs for _ in range(40)])

    def screen(self) -> LatencyScreen:
        return LatencyScreen(self.records, self.settings, self.on_the_bench)

    def design(self) -> Blueprint:
        return self.space.decode(self.space.sample(self.rng))

    def on_the_bench(self, design: Blueprint) -> Any:
        return SimpleNamespace(
            kit=SimpleNamespace(deployed=self.space.scales["full"]),
            compression=compression_of(CompressionSettings(), design),
            deployed_plan=lambda scale: self.plan(design),
        )

    def plan(self, blueprint: Blueprint) -> Plan:
        return plan_network(blueprint, self.space.scales["full"])

    def ms(self, blueprint: Blueprint) -> float:
        return float(count(self.plan(blueprint)).macs / self.typical) * LIMIT_MS

    def propose(self, seen: int | None = None) -> Trial:
        trial = Trial(self.records.next_number, (self.rng.random(),), self.design(), 0)
        self.records.add_trial(trial, len(self.records.outcomes) if seen is None else seen)
        return trial

    def measure(self, trial: Trial) -> None:
        measures = {"latency_ms": self.ms(trial.blueprint), "loss": 1.0}
        self.records.add_outcome(Outcome(trial.number, "complete", measures))

    def run(self, trials: int) -> None:
        for _ in range(trials):
            self.measure(self.propose())


def test_what_is_far_too_slow_is_left_out_and_what_may_not_be_is_measured(
    space: SearchSpace,
) -> None:
    search = Search(space)
    search.run(40)
    screen = search.screen()
    left_out = 0
    for _ in range(40):
        trial = search.propose()
        refused = screen.too_slow(trial, {"macs": 1.0})
        if search.ms(trial.blueprint) <= LIMIT_MS:
            assert refused is None
        if refused is not None:
            left_out += 1
            assert (refused.status, refused.is_free) == ("infeasible", True)
            assert refused.measures == {"macs": 1.0}
            foretold = refused.notes.foretold["latency_ms"]
            assert foretold == pytest.approx(search.ms(trial.blueprint), rel=0.2)
            assert f"predicted as {foretold:.6g}" in (refused.error_text or "")
        assert screen.too_slow(trial, {"latency_ms": 1e9}) is None
    assert left_out >= 10


def test_it_needs_a_dozen_measured_designs_and_repeats_do_not_count(space: SearchSpace) -> None:
    search = Search(space)
    search.run(FEWEST - 1)
    repeat = search.propose()
    measures = {"latency_ms": 1.0, "loss": 1.0}
    search.records.add_outcome(Outcome(repeat.number, "complete", measures, source=0))
    failed = search.propose()
    search.records.add_outcome(Outcome(failed.number, "failed"))
    trials = [search.propose() for _ in range(40)]
    screen = search.screen()
    assert all(screen.too_slow(trial, {}) is None for trial in trials)
    search.measure(trials[0])
    later = [search.propose() for _ in range(40)]
    assert any(screen.too_slow(trial, {}) is not None for trial in later)


def test_a_trial_is_judged_by_what_it_had_seen_in_whatever_order_it_is_asked(
    space: SearchSpace,
) -> None:
    search = Search(space)
    trials = []
    for events in range(30):
        trials.append(search.propose())
        search.measure(search.propose())
        assert search.records.seen[trials[-1].number] == events
    asked = {t.number: search.screen().too_slow(t, {}) for t in trials}
    one = search.screen()
    backwards = {t.number: one.too_slow(t, {}) for t in reversed(trials)}
    assert asked == backwards
    assert any(asked.values())
    assert not any(asked[trial.number] for trial in trials[: FEWEST - 1])


def test_it_is_off_unless_asked_for(space: SearchSpace) -> None:
    search = Search(space, "latency.predictor=false")
    search.run(30)
    assert all(search.screen().too_slow(search.propose(), {}) is None for _ in range(20))


def test_lengths_grow_by_a_tenth() -> None:
    lengths = [length_to_learn(measured) for measured in range(500)]
    distinct = sorted({length for length in lengths if length is not None})
    assert lengths[: FEWEST + 1] == [None] * FEWEST + [FEWEST]
    assert len(distinct) < 45
    assert all(length is None or length <= own < 1.2 * length for own, length in enumerate(lengths))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "latency.predictor=true has no effect without a limit."),
        (["constraints.latency_ms.min=1"], "has no effect without a limit."),
        (
            ["constraints.latency_ms.max=1", "evaluator=table"],
            "latency.predictor=true needs evaluator=train, got evaluator=table.",
        ),
    ],
)
def test_a_screen_without_a_use_is_told(words: list[str], message: str) -> None:
    (problem,) = check_screen(Words(["latency.predictor=true", *words]).read()[0])
    assert message in problem
    assert not list(check_screen(Settings(constraints={"latency_ms": Limits(max=1)})))
