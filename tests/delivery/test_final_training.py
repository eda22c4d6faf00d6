"""The training of an exported model: stopped, gone on with, and its best epoch kept."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from small_model import WORDS, detector, made, made_detector, model, weights_of
from torch import nn

from evonas.delivery.final_training import BEST, CHECKPOINT
from evonas.delivery.retrain import retrain
from evonas.exporters.file_names import CONFUSION, CURVES, LAST, PRECISION_RECALL
from evonas.reports.epochs import EpochLines

__all__ = ["detector", "made", "made_detector", "model"]  # fixtures


class Stopped(Exception):
    """Stands for a machine that goes down."""


def stop_after(epoch: int, patch: pytest.MonkeyPatch) -> None:
    """Lets a retraining end like a killed one, behind the checkpoint of this epoch."""
    from evonas.delivery import final_training as room

    def save(file: Path, network: nn.Module, progress: Any, key: str) -> None:
        real(file, network, progress, key)
        if progress.epochs_done == epoch:
            raise Stopped

    real = room.save_checkpoint
    patch.setattr(room, "save_checkpoint", save)


def test_a_stopped_retraining_goes_on_as_if_it_never_stopped(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Path(shutil.copytree(model, "other"))
    words = [*WORDS, "training.optimizer=adamw", "training.lr0=0.003", "training.ema=0.8"]
    words += ["training.amp=on", "training.log=csv", "training.freeze=1"]
    whole = retrain(model, words)
    with monkeypatch.context() as patch:
        stop_after(2, patch)
        with pytest.raises(Stopped):
            retrain(other, words)
    assert (other / CHECKPOINT).exists()
    result = retrain(other, words, display=EpochLines())
    assert "Going on after epoch 2" in capsys.readouterr().err
    assert result["curve"] == whole["curve"]
    for picture in (CURVES, CONFUSION):
        assert (other / picture).read_bytes() == (model / picture).read_bytes()
    assert result["bfloat16"]
    one, two = weights_of(model), weights_of(other)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert len((other / "training.csv").read_text().splitlines()) == 4


@pytest.mark.slow
def test_a_stopped_retraining_of_a_detector_goes_on_as_if_it_never_stopped(
    detector: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Path(shutil.copytree(detector, "other"))
    words = ["training.epochs=3", "training.keep=best", "training.mosaic=0.5", "training.mixup=0.3"]
    words += ["training.multi_scale=0.5", "training.close_mosaic=1", "training.batch_size=10"]
    whole = retrain(detector, words)
    with monkeypatch.context() as patch:
        stop_after(1, patch)
        with pytest.raises(Stopped):
            retrain(other, words)
    result = retrain(other, words)
    assert result["curve"] == whole["curve"]
    assert result["best_epoch"] == whole["best_epoch"]
    for picture in (CURVES, PRECISION_RECALL):
        assert (other / picture).read_bytes() == (detector / picture).read_bytes()
    assert {n: v for n, v in result.items() if n.startswith("test_")} == {
        n: v for n, v in whole.items() if n.startswith("test_")
    }
    one, two = weights_of(detector), weights_of(other)
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.slow
def test_the_best_epoch_by_validation_images_is_kept_beside_the_last(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Path(shutil.copytree(model, "other"))
    # From the third epoch on the network forgets.
    words = [*WORDS, "training.keep=best", "training.schedule=constant", "training.lr0=3"]
    words += ["training.warmup_epochs=3", "training.epochs=5", "data.validation_share=0.5"]
    whole = retrain(model, words)
    assert whole["best_epoch"] < whole["epochs"] == 5
    assert 0 < whole["validation_accuracy"] <= 1
    last = safetensors.torch.load_file(model / LAST)
    card = (model / "README.md").read_text()
    assert f"weights of epoch {whole['best_epoch']}, the best on the validation images" in card
    assert f"![Curves]({CURVES})" in card
    assert any(not torch.equal(last[name], kept) for name, kept in weights_of(model).items())
    with monkeypatch.context() as patch:
        stop_after(whole["best_epoch"], patch)
        with pytest.raises(Stopped):
            retrain(other, words)
    again = retrain(other, words)
    assert again["best_epoch"] == whole["best_epoch"]
    assert (other / "weights.safetensors").read_bytes() == (
        model / "weights.safetensors"
    ).read_bytes()
    assert not (other / BEST).exists()
    assert str(other / LAST) in again["files"]
    retrain(other, [*WORDS, "training.keep=last"])
    assert not (other / LAST).exists()


@pytest.mark.slow
@pytest.mark.parametrize("change", ["training.lr0=0.2", "data.subset=220"])
def test_a_checkpoint_of_another_recipe_or_data_is_not_gone_on_from(
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: str,
) -> None:
    with monkeypatch.context() as patch:
        stop_after(1, patch)
        with pytest.raises(Stopped):
            retrain(model, WORDS)
    assert len(retrain(model, [*WORDS, change], display=EpochLines())["curve"]) == 3
    assert "Going on" not in capsys.readouterr().err


@pytest.mark.slow
def test_patience_may_end_a_retraining_before_its_epochs(model: Path) -> None:
    words = [*WORDS, "training.epochs=40", "training.patience=1", "training.lr0=1e-12"]
    result = retrain(model, words)
    assert result["epochs"] == len(result["curve"]) < 40


@pytest.mark.slow
def test_patience_goes_by_images_that_are_held_out(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = retrain(model, [*WORDS, "training.epochs=1"])["images"]
    words = [*WORDS, "training.epochs=30", "training.patience=2", "training.schedule=constant"]
    result = retrain(model, [*words, "training.lr0=3"], display=EpochLines())
    assert result["epochs"] < 30
    told = f"Ended after epoch {result['epochs']} of 30: the loss of the validation images"
    assert told in capsys.readouterr().err
    assert result["images"] < images
