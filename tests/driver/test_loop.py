"""The loop over a function instead of trainings: what counts, what is free, when it ends."""

import sqlite3
import time
from pathlib import Path

import pytest

import evonas
from evonas.blueprint import Blueprint
from evonas.driver import resume, search
from evonas.runs import Run

WORDS = {
    "space": "nano",
    "objectives": ["score:max", "cost:min"],
    "executor": {"name": "inline"},
    "display": "none",
}


def settings(**more: object) -> dict[str, object]:
    return {**WORDS, **more}


def toy(blueprint: Blueprint) -> dict[str, float]:
    """Score for channels, cost for layers: computed from the design alone."""
    stages = blueprint.network["stages"]
    return {
        "score": float(sum(stage["channels"] for stage in stages)),
        "cost": float(sum(stage["layers"] * stage["kernel"] for stage in stages)),
    }


def table(run: Run) -> list[tuple[object, ...]]:
    """All that has to be equal between two runs that did the same."""
    return [
        (trial.number, trial.chromosome, trial.seed, trial.parents, outcome and outcome.measures)
        for trial, outcome in run.trials()
    ]


def test_spends_exactly_the_budget() -> None:
    run = search(settings(budget={"evaluations": 15}), toy)
    assert run.records.evaluations == 15
    assert run.status == "finished"
    assert run.facts["ended"] == "evaluations"
    assert run.records.counts()["complete"] == 15


def test_the_front_is_what_no_other_trial_dominates() -> None:
    run = search(settings(budget={"evaluations": 30}), toy)
    points = [(o.measures["score"], -o.measures["cost"]) for _, o in run.trials() if o]
    best = {p for p in points if not any(q != p and q[0] >= p[0] and q[1] >= p[1] for q in points)}
    front = [(o.measures["score"], -o.measures["cost"]) for _, o in run.front]
    assert set(front) == best
    assert len(front) == len(best)
    assert front == sorted(front, reverse=True)


def test_the_same_words_give_the_same_run() -> None:
    for schedule in ("generational", "async"):
        words = settings(schedule=schedule, budget={"evaluations": 33}, evolver={"population": 8})
        assert table(search(words, toy)) == table(search(words, toy))


def test_extending_a_finished_run_equals_a_larger_budget() -> None:
    def words(name: str, evaluations: int) -> dict[str, object]:
        return settings(
            schedule="generational",
            run={"name": name},
            budget={"evaluations": evaluations},
            evolver={"population": 8},
        )

    whole = search(words("whole", 28), toy)
    search(words("grown", 13), toy)
    grown = resume(Path("runs/grown"), ["budget.evaluations=+15"], toy)
    assert grown.settings.budget.evaluations == 28
    assert table(grown) == table(whole)


def test_a_design_that_fails_is_an_outcome_and_ranks_nowhere() -> None:
    def sometimes(blueprint: Blueprint) -> dict[str, float]:
        if blueprint.network["activation"] == "relu6":
            raise RuntimeError("no relu6 today")
        return toy(blueprint)

    run = search(settings(budget={"evaluations": 20}), sometimes)
    failed = [(t, o) for t, o in run.trials() if o and o.status == "failed"]
    assert failed
    assert run.records.counts()["complete"] + len(failed) == 20
    assert all(t.blueprint.network["activation"] == "relu6" for t, _ in failed)
    assert all(t.blueprint.network["activation"] == "relu" for t, _ in run.front)


def test_values_that_are_not_finite_are_failures() -> None:
    def nan(blueprint: Blueprint) -> dict[str, float]:
        return {"score": float("nan"), "cost": 1.0}

    run = search(settings(budget={"evaluations": 3}), nan)
    outcomes = [outcome for _, outcome in run.trials() if outcome]
    assert [o.error_kind for o in outcomes] == ["diverged"] * 3
    assert "score is nan" in (outcomes[0].error_text or "")
    assert run.front == []


def test_constraints_keep_designs_off_the_front() -> None:
    run = search(settings(budget={"evaluations": 25}, constraints={"cost": {"max": 14}}), toy)
    assert run.front
    assert all(outcome.measures["cost"] <= 14 for _, outcome in run.front)
    assert any(o.measures["cost"] > 14 for _, o in run.trials() if o)


def test_a_target_ends_the_search() -> None:
    words = settings(budget={"evaluations": 60, "target": {"score": {"min": 60}}})
    run = search(words, toy)
    assert run.facts["ended"] == "target"
    assert run.records.evaluations < 60
    assert list(run.records.outcomes.values())[-1].measures["score"] >= 60


def test_seconds_end_the_search() -> None:
    def slow(blueprint: Blueprint) -> dict[str, float]:
        end = time.monotonic() + 0.05
        while time.monotonic() < end:
            pass
        return toy(blueprint)

    run = search(settings(budget={"evaluations": 1000, "seconds": 0.5}), slow)
    assert run.facts["ended"] == "seconds"
    assert 0 < run.records.evaluations < 1000


@pytest.mark.parametrize("schedule", ["async", "generational"])
def test_an_exhausted_space_ends_the_search_and_trains_nothing_twice(schedule: str) -> None:
    Path("four.yaml").write_text("values: {a: {int: [1, 2]}, b: {int: [3, 4]}}\n")
    calls: list[str] = []

    def count(blueprint: Blueprint) -> dict[str, float]:
        calls.append(blueprint.fingerprint)
        return {"score": 1.0, "cost": float(blueprint.values["b"])}

    run = search(settings(space="./four.yaml", schedule=schedule, run={"name": "four"}), count)
    assert run.facts["ended"] == "space exhausted"
    assert len(calls) == len(set(calls)) == 4
    assert run.records.evaluations == run.records.designs == 4
    assert run.records.counts()["cached"] == 0
    assert table(resume(Path("runs/four"), ["budget.evaluations=+9"], count)) == table(run)


def test_a_space_with_designs_of_one_function_ends_when_all_were_proposed() -> None:
    edges = {f"edge_{ends}": "none" for ends in ("01", "02", "12", "03", "13", "23")}
    network = {"builder": "nas_bench_201", "activation": "relu", **edges}
    network |= {edge: {"choice": ["none", "conv_1x1"]} for edge in ("edge_01", "edge_02")}
    scale = {"resolution_px": 16, "filters": 8, "repeats": 1}
    space = {"scales": {"proxy": scale, "full": scale}, "network": network}
    run = evonas.optimise(lambda blueprint: 1.0, space)  # nothing reaches the output
    assert run.facts["ended"] == "space exhausted"
    assert (run.records.evaluations, run.records.counts()["cached"]) == (1, 3)


def test_events_are_durable_before_the_next_trial_starts() -> None:
    def look(blueprint: Blueprint) -> dict[str, float]:
        with sqlite3.connect("runs/seen/run.db") as db:
            trials = db.execute("SELECT COUNT(*) FROM trials").fetchone()[0]
            outcomes = db.execute("SELECT COUNT(*) FROM outcomes").fetchone()[0]
        return {"score": float(trials), "cost": float(outcomes)}

    run = search(settings(run={"name": "seen"}, budget={"evaluations": 5}), look)
    seen = [(o.measures["score"], o.measures["cost"]) for _, o in run.trials() if o]
    assert seen == [(number + 1, number) for number in range(5)]


def test_the_reference_point_is_fixed_so_hypervolume_only_grows() -> None:
    volumes: list[float] = []
    for evaluations in (12, 20, 30):
        run = search(settings(budget={"evaluations": evaluations}), toy)
        assert run.records.volume.value is not None
        volumes.append(run.records.volume.value)
        assert run.records.volume.reference_point == tuple(
            extreme(o.measures[name] for _, o in run.trials()[:12] if o)
            for name, extreme in (("score", min), ("cost", max))
        )
    assert volumes == sorted(volumes)


def test_a_given_reference_point_counts() -> None:
    words = settings(budget={"evaluations": 3}, reference_point={"score": 0, "cost": 100})
    run = search(words, toy)
    assert run.records.volume.reference_point == (0, 100)


def test_a_run_becomes_a_table() -> None:
    frame = search(settings(budget={"evaluations": 4}), toy).frame()
    assert list(frame["number"]) == [0, 1, 2, 3]
    assert {"m:score", "m:cost", "g:network.activation", "status"} <= set(frame.columns)
