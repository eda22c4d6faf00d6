"""Designs that differ in compression alone share a training, and come to the same as if not."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import FIXED, changed
from small_steps import SMALL_STEPS

from evonas.compression import compress
from evonas.driver import resume, search, siblings
from evonas.evaluation import trial_training
from evonas.runs import Run

SPACE = changed(FIXED, ("channels: 16", "channels: {choice: [8, 24]}"), ("layers: 1", "layers: 3"))
COMPRESSION = """\
compression:
  pruning: {method: {choice: [none, depth]}}
  quantisation:
    method: {choice: [none, weights, int8]}
    bits: {choice: [8, 4], when: {method: [weights]}}
"""
WORDS = ["space=./own.yaml", "data.subset=200", "training.epochs=1", "objectives=accuracy,size_mib"]
WORDS += ["executor=inline", "display=none", "evolver.surrogate=false", "budget.evaluations=10"]


@pytest.fixture(autouse=True)
def space(monkeypatch: pytest.MonkeyPatch, working_folder: Path) -> None:
    monkeypatch.setattr(compress, "STEPS", SMALL_STEPS)
    Path("own.yaml").write_text(SPACE + COMPRESSION)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds of trainings that are done from now on."""
    seeds: list[int] = []
    real: Any = trial_training.train

    def train(
        network: Any, split: Any, problem: Any, recipe: Any, seed: int, *more: Any, **named: Any
    ) -> Any:
        seeds.append(seed)
        return real(network, split, problem, recipe, seed, *more, **named)

    monkeypatch.setattr(trial_training, "train", train)
    return seeds


def facts(run: Run) -> list[Any]:
    """What two runs that did the same have in common."""
    return [
        (trial, outcome.status, outcome.measures, outcome.curve, outcome.notes.training_of)
        for trial, outcome in run.trials()
        if outcome is not None
    ]


def test_siblings_are_trained_once_and_the_record_says_by_whom(trained: list[int]) -> None:
    run = search([*WORDS, "run.name=shared"])
    complete = [(t, o) for t, o in run.trials() if o is not None and o.source is None]
    assert run.records.evaluations == len(complete) == 10
    networks = {str(trial.blueprint.network) for trial, _ in complete}
    assert len(trained) == len(networks) == 2
    for trial, outcome in complete:
        first = run.records.first_trained(trial.number)
        owner, source = run.pair(first)
        assert owner.blueprint.network == trial.blueprint.network
        assert owner.seed in trained
        assert (outcome.notes.training_of or first) == first
        whole = source.measures.get("accuracy_before", source.measures["accuracy"])
        assert outcome.measures.get("accuracy_before", outcome.measures["accuracy"]) == whole
        assert outcome.curve == source.curve


def test_lost_weights_cost_a_training_and_change_nothing(
    trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = search([*WORDS, "run.name=kept"])
    trainings = len(trained)
    monkeypatch.setattr(siblings, "MOST_TRAININGS", 0)
    monkeypatch.setattr(trial_training, "weights_in", lambda file, checksum: None)
    again = search([*WORDS, "run.name=lost"])
    assert len(trained) - trainings == 10
    assert facts(again) == facts(run)


@pytest.mark.parametrize("events", [3, 6])
def test_a_run_that_goes_on_ends_as_one_that_was_not_stopped(events: int) -> None:
    run = search([*WORDS, "run.name=whole"])
    search([*WORDS, f"budget.evaluations={events}", "run.name=stopped"])
    if events == 6:
        shutil.rmtree(Path("runs/stopped/trials"))
    assert facts(resume(Path("runs/stopped"), ["budget.evaluations=10"])) == facts(run)


def test_the_weights_of_trainings_stay_while_they_may_be_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(siblings, "MOST_TRAININGS", 1)
    run = search([*WORDS, "objectives=loss", "run.name=bounded"])
    kept = {int(folder.name) for folder in (run.folder / "trials").iterdir()}
    latest = run.records.first_trained(max(run.records.trials))
    assert kept <= run.records.worth_keeping() | {
        *map(run.records.first_trained, run.records.trials)
    }
    assert latest in kept


def test_what_compression_does_not_fit_fails_before_any_training_and_costs_nothing(
    trained: list[int],
) -> None:
    Path("own.yaml").write_text(
        SPACE.replace("layers: 3", "layers: {choice: [1, 3]}") + COMPRESSION
    )
    run = search([*WORDS, "budget.evaluations=12", "run.name=refused"])
    failed = [(t, o) for t, o in run.trials() if o is not None and o.status == "failed"]
    assert failed
    for trial, outcome in failed:
        assert trial.blueprint.network["stages"][0]["layers"] == 1
        assert outcome.error_kind == "build_error"
        assert outcome.error_text == "The first stage has no block to spare."
        assert outcome.is_free
    assert run.records.evaluations == 12
    assert len(trained) <= 4


@pytest.mark.slow
def test_rungs_compress_what_each_of_them_trained(trained: list[int]) -> None:
    rungs = ["fidelity.rungs=1,2", "fidelity.reduction=2", "run.name=rungs"]
    run = search([*WORDS, *rungs])
    promoted = [(t, o) for t, o in run.trials() if o is not None and t.rung and o.source is None]
    assert run.records.promotions == len(promoted) > 0
    for trial, outcome in promoted:
        before = run.pair(run.records.first_trained(trial.continues or 0))[0]
        assert trial.seed == before.seed
        asked = [
            step for step, own in trial.blueprint.compression.items() if own["method"] != "none"
        ]
        rows = outcome.details.get("compression", [])
        assert [row["step"] for row in rows[1:]] == asked
    assert facts(search([*WORDS, *rungs[:2], "run.name=again"])) == facts(run)
