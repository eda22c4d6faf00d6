"""A published network as a model folder: to be retrained, or with weights to predict and teach."""

import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from conftest import problems_of, typed
from PIL import Image

from evonas.compression.teacher import read_teacher
from evonas.conversion.conversion import without_weights
from evonas.conversion.darknet_order import sections
from evonas.delivery.export_preset import export_preset
from evonas.errors import SettingsError
from evonas.exporters.file_names import CARD, ONNX, WEIGHTS
from evonas.model_folder.model_folder import ModelFolder
from evonas.models import build
from evonas.presets import preset
from evonas.presets.resizing import sized

TRAINED = ("data=synthetic", "data.synthetic.classes=3", "data.synthetic.images=90")
TRAINED += ("training.epochs=1",)
STATISTICS = ("--mean", "0.5,0.4,0.3", "--deviation", "0.2,0.3,0.4")


@pytest.fixture
def weights(working_folder: Path) -> Path:
    """Of LeNet for three classes, as a training leaves them."""
    chosen = sized(preset("lenet5"), classes=3)
    network = build(chosen.blueprint, chosen.scale, seed=7)
    safetensors.torch.save_file(network.state_dict(), "lenet.safetensors")
    return Path("lenet.safetensors")


def test_a_published_network_is_a_model_folder_that_asks_for_data(working_folder: Path) -> None:
    call = typed("export", "--preset", "lenet5", "--to", "lenet", "--input", "1x16x16")
    assert (call.returncode, call.stderr) == (0, "")
    assert call.stdout.startswith(
        "lenet5 of 1x16x16 images and 10 classes written to lenet, with fresh weights.\n"
    )
    folder = ModelFolder.open(Path("lenet"), (ONNX, WEIGHTS))
    assert folder.has_fresh_weights
    assert folder.recipe.input.shape == (1, 16, 16)
    card = (folder.path / CARD).read_text()
    assert card.startswith("# lenet5: LeNet-5 with max pooling")
    counted = sum(weights.numel() for weights in folder.built_and_trained().parameters())
    assert f"| parameters | {counted:,} | this model |" in card
    refused = typed("retrain", "lenet")
    assert refused.returncode == 2
    assert "Give data=folder data.path=DIR." in refused.stderr
    words = ("data=digits", "data.subset=100", "training.epochs=1")
    trained = typed("retrain", "lenet", *words)
    assert trained.returncode == 0, trained.stderr
    assert not ModelFolder.open(Path("lenet"), ()).has_fresh_weights


def test_weights_predict_and_teach_once_it_is_known_how_images_were_normalised(
    weights: Path,
) -> None:
    Image.fromarray(np.full((40, 40, 3), 128, np.uint8)).save("grey.png")
    words = ("--preset", "lenet5", "--weights", str(weights), "--classes")
    assert typed("export", *words, "3", "--to", "unknown").returncode == 0
    told = typed("predict", "unknown", "grey.png").stderr
    assert (
        "Nobody said how the images of lenet.safetensors, whose weights unknown has, were" in told
    )
    with pytest.raises(SettingsError, match="Nobody said how the images"):
        read_teacher(Path("unknown"))
    call = typed("export", *words, "cat,dog,hen", *STATISTICS, "--to", "model")
    assert (call.returncode, call.stderr) == (0, "")
    assert "with the weights of lenet.safetensors." in call.stdout
    assert "cat" in typed("predict", "model", "grey.png", "--json").stdout
    begun = typed("retrain", "unknown", *TRAINED)
    assert begun.returncode == 0, begun.stderr
    assert f"{Path('unknown/weights.safetensors').absolute()}: 10 tensors taken" in begun.stderr
    teacher = read_teacher(Path("model"))
    assert teacher.problem.classes == ("cat", "dog", "hen")
    own, given = teacher.network.state_dict(), safetensors.torch.load_file(weights)
    assert all(torch.equal(own[name], given[name]) for name in given)


@pytest.mark.slow
def test_a_detector_has_its_task_and_the_weights_of_darknet(working_folder: Path) -> None:
    order = sections(without_weights(sized(preset("yolov3_tiny"), classes=2)))
    numbers = np.full(sum(section.numbers for section in order), 0.01, "<f4")
    Path("tiny.weights").write_bytes(struct.pack("<3iQ", 0, 2, 0, 640) + numbers.tobytes())
    none, one = [0.0] * 3, [1.0] * 3
    result = export_preset("yolov3_tiny", "tiny", "3x64x64", 2, "tiny.weights", none, one)
    assert (result["classes"], result["task"]) == (2, "detection")
    folder = ModelFolder.open(Path("tiny"), ())
    assert folder.recipe.task == "detection"
    assert (folder.built_and_trained().state_dict()["layer_1.0.0.weight"] == numbers[0]).all()


def test_mistakes_are_told_and_nothing_is_written(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evonas.conversion.state_dict_reader.presets", dict)  # counting takes long

    def told(**options: object) -> str:
        return " ".join(problems_of(lambda: export_preset("lenet5", "no", **options)))  # type: ignore[arg-type]

    assert "tells 3 classes apart" in told(weights=weights)
    assert "Write --classes 3." in told(weights=weights)
    assert "is of another network than lenet5" in told(weights=weights, classes=3, shape="1x32x32")
    assert "write 3 number(s) for each" in told(weights=weights, classes=3, mean=[0.5])
    assert "is above 0" in told(classes=3, mean=[0.5] * 3, deviation=[0] * 3)
    assert "Leave them out" in told(classes=3, mean=[0.5] * 3, deviation=[0.5] * 3)
    assert "at least one class" in told(classes=0)
    assert "no square input" in told(shape="32x32")
    both = ("--preset", "lenet5")
    for words in ((), ("run", *both), (*both, "--all-front"), ("run", "--classes", "3")):
        call = typed("export", *words, "--to", "no")
        assert call.returncode == 2
        assert "evonas export --preset NAME --to DIR" in call.stderr
    bad = typed("export", "--preset", "lenet5", "--to", "no", "--mean", "a,b")
    assert (bad.returncode, Path("no").exists()) == (2, False)
