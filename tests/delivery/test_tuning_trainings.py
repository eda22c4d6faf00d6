"""Which trainings a tuning ends early, and which of them wins."""

from pathlib import Path
from typing import Any

import pytest
from small_model import made, model
from tunings import WORDS, score_by

from evonas.delivery.tune import tune
from evonas.delivery.tuning.scored_training import ScoredTraining
from evonas.errors import ExportError, TrialFailure
from evonas.exporters.file_names import RECIPE
from evonas.settings import TrainingSettings

__all__ = ["made", "model"]  # fixtures


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
