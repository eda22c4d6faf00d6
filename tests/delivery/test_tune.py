"""Recipes that are tuned: what is tried, what goes on after a stop, and what is written."""

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import EVONAS, typed
from small_model import detector, made, made_detector, model

from evonas.delivery.retrain import retrain
from evonas.delivery.tune import TUNING, tune
from evonas.delivery.tuning.scored_training import CHECKPOINT, ScoredTraining
from evonas.errors import EvonasError, ExportError, TrialFailure
from evonas.exporters.file_names import CHECK, RECIPE
from evonas.key import checksum
from evonas.reports.tuning_lines import Tunings
from evonas.settings import TrainingSettings

__all__ = ["detector", "made", "made_detector", "model"]  # fixtures

WORDS = [
    *("data.subset=200", "training.batch_size=20", "training.epochs=2"),
    *("budget.evaluations=6", "tune.seeds=1"),
]


def settings_of(folder: Path) -> dict[str, Any]:
    training: dict[str, Any] = yaml.safe_load((folder / RECIPE).read_text())["training"]
    return training


def trials_of(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Without the time that they took."""
    return [{k: v for k, v in each.items() if k != "seconds"} for each in result["trials"]]


def score_by(monkeypatch: pytest.MonkeyPatch, score: Any) -> list[tuple[TrainingSettings, int]]:
    """Trainings that take no time and have this score, from settings and seed; what was trained."""
    trained: list[tuple[TrainingSettings, int]] = []

    def scored(
        self: ScoredTraining, training: TrainingSettings, seed: int, is_hopeless: Any
    ) -> float:
        trained.append((training, seed))
        return float(score(training, seed))

    monkeypatch.setattr(ScoredTraining, "scored", scored)
    return trained


def test_what_does_better_from_fresh_seeds_is_written(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = settings_of(model)
    trained = score_by(monkeypatch, lambda training, seed: 1 - training.weight_decay)
    result = tune(model, [*WORDS, "tune.settings=weight_decay,momentum"])
    assert result["written"]
    assert result["trainings"] == len(trained) == 6
    (old, new) = result["settings"]["weight_decay"]
    assert old == before["weight_decay"] > new
    after = settings_of(model)
    assert after["weight_decay"] == new
    assert after["epochs"] == 2  # a word changes the recipe that is tuned
    changed = {"weight_decay", "momentum", "epochs", "batch_size"}
    assert {k for k in after if after[k] != before[k]} <= changed
    assert [seed for _, seed in trained] == [3, 3, 3, 3, 4, 4]
    sums = json.loads((model / CHECK).read_text())["sha256"]
    assert sums[RECIPE] == checksum((model / RECIPE).read_bytes())


def test_a_lucky_seed_changes_no_recipe(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (model / RECIPE).read_bytes()

    def lucky(training: TrainingSettings, seed: int) -> float:
        is_other = training.weight_decay != TrainingSettings().weight_decay
        return 0.5 + 0.1 * is_other * (1 if seed == 3 else -1)

    score_by(monkeypatch, lucky)
    result = tune(model, [*WORDS, "tune.settings=weight_decay"])
    assert not result["written"]
    assert result["score"] > result["recipe_score"]
    assert result["best_again"] < result["recipe_again"]
    assert (model / RECIPE).read_bytes() == before


def test_where_nothing_is_better_no_training_is_done_again(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = TrainingSettings().weight_decay
    trained = score_by(monkeypatch, lambda training, _: training.weight_decay == usual)
    result = tune(model, [*WORDS, "tune.settings=weight_decay"])
    assert (result["settings"], result["written"], len(trained)) == ({}, False, 4)


def test_a_larger_budget_goes_on_from_what_was_written(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = score_by(monkeypatch, lambda training, _: 1 - training.weight_decay)
    words = ["tune.settings=weight_decay", "tune.seeds=1"]
    first = tune(model, [*words, "budget.evaluations=5"])
    assert first["written"]
    done = len(trained)
    again = tune(model, [*words, "budget.evaluations=5"])
    assert len(trained) == done
    assert trials_of(again) == trials_of(first)
    more = tune(model, [*words, "budget.evaluations=8"])
    assert trials_of(more)[:3] == trials_of(first)
    assert len(more["trials"]) == 6
    assert more["settings"]["weight_decay"][0] == TrainingSettings().weight_decay


def test_a_tuning_that_was_stopped_anywhere_ends_as_one_that_was_not(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*WORDS, "training.ema=0.5"]
    whole, stopped = (shutil.copytree(model, model.parent / name) for name in ("whole", "stopped"))
    wanted = tune(whole, words)

    class Stop(Exception):
        pass

    class Stopping(Tunings):
        def __init__(self, after: int) -> None:
            self.left = after

        def epoch(self, done: int) -> None:
            self.left -= 1
            if self.left == 0:
                raise Stop

    stops = 0
    while True:
        try:
            found = tune(stopped, words, display=Stopping(3))
            break
        except Stop:
            stops += 1
    assert stops > 1
    assert trials_of(found) == trials_of(wanted)
    for key in ("settings", "recipe_again", "best_again", "written"):
        assert found[key] == wanted[key]
    assert settings_of(stopped) == settings_of(whole)
    assert not (stopped / CHECKPOINT).exists()


@pytest.mark.slow
def test_a_tuning_that_is_killed_goes_on(model: Path) -> None:
    whole, killed = (shutil.copytree(model, model.parent / name) for name in ("whole", "killed"))
    words = [*WORDS, "training.epochs=4", "budget.evaluations=4"]
    wanted = tune(whole, words)
    _kill_after_an_epoch(killed, words, signal.SIGKILL)
    said = _kill_after_an_epoch(killed, words, signal.SIGINT)
    assert said.splitlines()[-1].startswith("Stopped. Finished epochs are kept. Go on by: evonas")
    found = tune(killed, words)
    assert trials_of(found) == trials_of(wanted)
    assert settings_of(killed) == settings_of(whole)


def _kill_after_an_epoch(folder: Path, words: Sequence[str], number: int) -> str:
    call = [str(EVONAS), "tune", str(folder), *words]
    checkpoint = folder / CHECKPOINT
    old = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    with subprocess.Popen(call, stderr=subprocess.PIPE, text=True) as process:
        while not checkpoint.exists() or checkpoint.stat().st_mtime_ns == old:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.send_signal(number)
        return process.communicate(timeout=60)[1]


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_trainings_that_do_badly_end_early(
    model: Path, monkeypatch: pytest.MonkeyPatch, pruner: str
) -> None:
    def scored(
        self: ScoredTraining, training: TrainingSettings, seed: int, is_hopeless: Any
    ) -> float:
        from evonas.delivery.tuning.scored_training import Hopeless

        scores: list[float] = []
        for epoch in range(9):
            scores.append(epoch - 100 * training.weight_decay)
            if is_hopeless(scores):
                raise Hopeless
        return scores[-1]

    monkeypatch.setattr(ScoredTraining, "scored", scored)
    words = ["training.epochs=9", "tune.settings=weight_decay", "budget.evaluations=16"]
    result = tune(model, [*words, "tune.seeds=1", f"tune.pruner={pruner}"])
    pruned = [each for each in result["trials"] if each["state"] == "pruned"]
    assert len(pruned) == result["pruned"] > 0
    assert all(each["epochs"] < 9 for each in pruned)
    assert result["trials"][0]["state"] == "whole"


def test_what_diverges_is_no_winner_and_a_recipe_that_does_is_told(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverging(training: TrainingSettings, seed: int) -> float:
        if training.weight_decay > TrainingSettings().weight_decay:
            raise TrialFailure("diverged", "the training loss is nan in epoch 1")
        return training.weight_decay

    score_by(monkeypatch, diverging)
    words = ["tune.settings=weight_decay", "budget.evaluations=10", "tune.seeds=1"]
    result = tune(model, words)
    assert result["diverged"] > 0
    assert result["settings"] == {}
    for _ in range(2):  # the second time without a training
        with pytest.raises(ExportError, match=r"by the recipe diverged.*training\.lr0="):
            tune(model, [*words, "training.weight_decay=0.01"])


def test_a_detector_is_tuned_and_retrained(detector: Path) -> None:
    words = ["training.epochs=1", "budget.evaluations=4", "tune.seeds=1"]
    result = tune(detector, [*words, "tune.settings=box,cls,mosaic"])
    assert result["measure"] == "map50_95"
    assert {*result["trials"][1]["settings"]} == {"box", "cls", "mosaic"}
    recipe = settings_of(detector)
    assert (recipe["box"] != TrainingSettings().box) == result["written"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tune.settings=mosaic"], "tune.settings: mosaic has no meaning in classification"),
        (["tune.settings=optimizer"], "tune.settings: optimizer is not tuned. Known: auxiliary"),
        (["tune.settings=weight_decy"], 'Did you mean "weight_decay"'),
        (["tune.settings=clip_gradients"], "training.clip_gradients: off in the recipe"),
        (["budget.evaluations=5"], "budget.evaluations=5 is too few"),
        (["budget.stagnation=5"], "a tuning ends by budget.evaluations or budget.seconds"),
        (["evolver.population=4"], "a tuning takes data"),
        (["tune.pruner=mean"], "tune.pruner=mean: input should be 'median'"),
        (["data=shapes"], "for detection"),
    ],
    ids=str,
)
def test_what_cannot_be_is_said_and_leaves_the_model_alone(
    model: Path, words: list[str], message: str
) -> None:
    before = (model / RECIPE).read_bytes()
    with pytest.raises(EvonasError) as problem:
        tune(model, words)
    assert message.lower() in str(problem.value).lower()
    assert (model / RECIPE).read_bytes() == before


def test_a_damaged_study_is_told(model: Path) -> None:
    (model / TUNING).write_bytes(b"no database" * 100)
    with pytest.raises(ExportError, match=r"tuning\.db is damaged. Remove it"):
        tune(model, WORDS)


def test_a_search_refuses_what_is_for_a_tuning() -> None:
    result = typed("search", "tune.seeds=3")
    assert result.returncode == 2
    assert "evonas tune DIR takes it" in result.stderr


@pytest.mark.slow
def test_the_command_tells_each_training_and_what_came_of_it(model: Path) -> None:
    result = typed("tune", "model", *WORDS)
    assert result.returncode == 0, result.stderr
    lines = result.stderr.splitlines()
    assert [line.split(" · ")[0] for line in lines if "trainings" in line][:2] == [
        "1/6 trainings",
        "2/6 trainings",
    ]
    assert "validation images" in result.stdout
    told = typed("tune", "model", *WORDS, "--json")
    document = json.loads(told.stdout)
    assert document["trials"][0]["settings"] == {}
    assert retrain(model, ["training.epochs=1"])["epochs"] == 1
