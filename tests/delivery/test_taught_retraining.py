"""Retrainings that learn from another model folder."""

import shutil
from pathlib import Path

import pytest
import torch
from conftest import problems_of
from small_model import WORDS, detector, made, made_detector, model, put_other_weights, weights_of
from test_final_training import Stopped, stop_after

from evonas.delivery.retrain import retrain
from evonas.model_folder.recipe_file import parsed_recipe

__all__ = ["detector", "made", "made_detector", "model"]  # fixtures

METHOD, TEACHER = "compression.distillation.method", "compression.distillation.teacher"


@pytest.fixture
def teacher(model: Path) -> Path:
    """Its weights are no others' after a retraining."""
    other = Path(shutil.copytree(model, "teacher"))
    put_other_weights(other)
    return other


@pytest.mark.slow
def test_a_stopped_retraining_goes_on_with_its_teacher(
    model: Path, teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, alone = (Path(shutil.copytree(model, name)) for name in ("other", "alone"))
    words = [*WORDS, f"{METHOD}=features", f"{TEACHER}={teacher}"]
    whole = retrain(model, words)
    with monkeypatch.context() as patch:
        stop_after(1, patch)
        with pytest.raises(Stopped):
            retrain(other, words)
    assert retrain(other, words)["curve"] == whole["curve"]
    one, two = weights_of(model), weights_of(other)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert retrain(alone, WORDS)["curve"] != whole["curve"]
    kept = parsed_recipe(model / "recipe.yaml").compression.distillation
    assert (kept.method, kept.teacher) == ("features", teacher.absolute())


@pytest.mark.slow
def test_a_detector_may_be_its_own_teacher(detector: Path) -> None:
    words = ["training.epochs=2", "training.batch_size=10", f"{METHOD}=logits"]
    words += ["compression.distillation.alpha=1", f"{TEACHER}={detector}"]
    result = retrain(detector, words)
    assert result["curve"][1] < result["curve"][0]


def test_a_retraining_has_no_best_of_a_run(model: Path) -> None:
    told = problems_of(retrain, model, [*WORDS, f"{METHOD}=logits"])
    assert "the best of a run teaches in a search alone" in told[0]
