"""Retraining of a model folder, with all that a long training may ask for."""

import csv
import json
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch
from conftest import EVONAS
from small_model import WORDS, made, model, weights_of

from evonas.delivery.final_training import CHECKPOINT
from evonas.delivery.retrain import changed_recipe, retrain
from evonas.errors import ExportError, SettingsError
from evonas.exporters.file_names import CONFUSION, CURVES
from evonas.key import checksum
from evonas.model_folder.model_folder import CHECKSUMS, ModelFolder
from evonas.reports.epochs import EpochLines

__all__ = ["made", "model"]  # fixtures


@pytest.mark.slow
def test_a_retraining_writes_weights_figures_and_logs_and_leaves_no_checkpoint(
    model: Path,
) -> None:
    before = weights_of(model)
    result = retrain(model, [*WORDS, "training.log=csv", "training.ema=0.5"])
    assert result["epochs"] == len(result["curve"]) == 3
    assert not result["bfloat16"]
    with open(model / "training.csv", newline="") as lines:
        logged = [float(row["learning_rate"]) for row in csv.DictReader(lines)]
    by_epoch = [rate for done, rate in result["learning_rates"] if done in (1, 2, 3)]
    assert by_epoch == pytest.approx(logged)
    card = (model / "README.md").read_text()
    assert "They are averages over the steps (training.ema=0.5)." in card
    assert "top-5" in card
    for picture in (CURVES, CONFUSION):
        assert str(model / picture) in result["files"]
        assert f"({picture})" in card
        assert picture in json.loads((model / "check.json").read_text())[CHECKSUMS]
    assert sum(row["images"] for row in result["test_table"]) == result["test_images"]
    assert not (model / CHECKPOINT).exists()
    after = weights_of(model)
    assert after.keys() == before.keys()
    assert any(not torch.equal(after[name], before[name]) for name in before)


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
        (["evolver.population=4"], r"compression\.\* and full\.\* only"),
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
