"""Retraining of a model folder, with all that a long training may ask for."""

import json
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from conftest import EVONAS
from torch import nn

from evonas.blueprint import Blueprint
from evonas.delivery.final_training import BEST, CHECKPOINT
from evonas.delivery.model_folder import CHECKSUMS, ModelFolder
from evonas.delivery.model_writer import Model, write_model
from evonas.delivery.recipe_file import InputSettings, OriginSettings, Recipe
from evonas.delivery.retrain import changed_recipe, retrain
from evonas.errors import ExportError, SettingsError
from evonas.exporters.file_names import LAST
from evonas.key import checksum
from evonas.models import build
from evonas.reports.epochs import EpochLines
from evonas.settings import DataSettings, TrainingSettings
from evonas.space import Scale, load_space

SCALE = Scale("proxy", resolution_px=8, width=0.5, smallest_map_px=4, input_channels=1)
WORDS = ["data.subset=200", "training.epochs=3", "training.batch_size=20"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder as an export writes it."""
    space = load_space("nano")
    blueprint: Blueprint = space.decode([1.0] * len(space.genes))
    folder = tmp_path_factory.mktemp("model")
    recipe = Recipe(
        data=DataSettings(),
        input=InputSettings(channels=1, resolution_px=8),
        classes=tuple("0123456789"),
        training=TrainingSettings(amp="off"),
        seed=3,
        origin=OriginSettings(run="a", trial=0, scale="proxy"),
    )
    facts: dict[str, Any] = {"measures": {}, "scales": {}, "genes": {}}
    network = build(blueprint, SCALE, seed=3)
    model = Model(recipe, blueprint.to_dict(), facts, network)
    write_model(folder, model, lambda network, onnx: {"ms": 1.0, "pairs": 1})
    return folder


@pytest.fixture
def model(made: Path, working_folder: Path) -> Path:
    return Path(shutil.copytree(made, working_folder / "model"))


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(folder / "weights.safetensors")


@pytest.mark.slow
def test_a_retraining_writes_weights_figures_and_logs_and_leaves_no_checkpoint(
    model: Path,
) -> None:
    before = weights_of(model)
    result = retrain(model, [*WORDS, "training.log=csv", "training.ema=0.5"])
    assert result["epochs"] == len(result["curve"]) == 3
    assert not result["bfloat16"]
    assert len((model / "training.csv").read_text().splitlines()) == 4
    assert not (model / CHECKPOINT).exists()
    after = weights_of(model)
    assert after.keys() == before.keys()
    assert any(not torch.equal(after[name], before[name]) for name in before)


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
    assert result["bfloat16"]
    one, two = weights_of(model), weights_of(other)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert len((other / "training.csv").read_text().splitlines()) == 4


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
def test_weights_of_a_file_are_begun_with_and_frozen_ones_stay(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = Path("given.safetensors")
    network = ModelFolder.open(model, ()).source().network
    for tensor in network.state_dict().values():
        tensor.fill_(0.25)
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    safetensors.torch.save_file(state, given)
    words = [*WORDS, f"training.weights={given}", "training.freeze=1"]
    retrain(model, words, display=EpochLines())
    assert f"{given.absolute()}: {len(state)} tensors taken" in capsys.readouterr().err
    after = weights_of(model)
    stem = [name for name in after if name.startswith("stem.")]
    assert stem
    assert all(torch.equal(after[name], state[name]) for name in stem)
    assert not all(torch.equal(after[name], state[name]) for name in after)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["training.weights=no.safetensors"], "there is no file"),
        (["training.lr0=1e38", "training.warmup_epochs=0", "training.momentum=0"], "training.lr0="),
        (["training.freeze=99"], "nothing is left to be trained"),
        (["training.optimizer=adma"], "adma"),
        (["evolver.population=4"], r"data\.\* and training\.\* only"),
    ],
    ids=str,
)
def test_what_cannot_be_is_said_and_leaves_the_model_alone(
    model: Path, words: list[str], message: str
) -> None:
    before = weights_of(model)
    with pytest.raises((ExportError, SettingsError), match=message):
        retrain(model, [*WORDS, *words])
    assert not (model / CHECKPOINT).exists()
    after = weights_of(model)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_words_change_the_recipe(model: Path) -> None:
    changed = changed_recipe(
        ModelFolder.open(model, ()).recipe, ["training.amp=auto", "training.log=csv"]
    )
    assert changed.training.amp == "auto"
    assert changed.training.log == ("csv",)


@pytest.mark.slow
def test_a_retraining_that_is_interrupted_says_the_command_that_goes_on(model: Path) -> None:
    call = [str(EVONAS), "retrain", "model", *WORDS, "training.epochs=300"]
    with subprocess.Popen(call, stderr=subprocess.PIPE, text=True) as process:
        while not (model / CHECKPOINT).exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1].splitlines()[-1]
    assert process.returncode == 130
    words = shlex.join(["evonas", *call[1:]])
    assert said == f"Stopped. Finished epochs are kept. Go on by: {words}"


def test_a_model_of_an_earlier_version_is_trained_only_if_that_is_meant(model: Path) -> None:
    source = (model / "model.py").read_text().replace('    outputs = ("head",)\n', "")
    (model / "model.py").write_text(source)
    checks = json.loads((model / "check.json").read_text())
    checks[CHECKSUMS]["model.py"] = checksum(source.encode())
    (model / "check.json").write_text(json.dumps(checks))
    words = ["data.subset=100", "training.epochs=1"]
    with pytest.raises(ExportError, match="is of an earlier evonas"):
        retrain(model, words)
    assert retrain(model, words, trust=True)["epochs"] == 1
