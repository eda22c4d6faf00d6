"""A model folder that learns other classes than it knows."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import problems_of
from PIL import Image
from small_model import (
    detector,
    made,
    made_detector,
    model,
    put_other_weights,
    weights_of,
)
from test_final_training import Stopped, stop_after

from evonas.blueprint import scaled_network
from evonas.delivery.other_classes import tensors_of_classes
from evonas.delivery.predict import predict
from evonas.delivery.retrain import retrain
from evonas.exporters.file_names import BASE, CHECK, FACTS
from evonas.key import checksum
from evonas.model_folder.model_folder import CHECKSUMS, ModelFolder
from evonas.presets import preset
from evonas.reports.epochs import EpochLines

__all__ = ["detector", "made", "made_detector", "model"]  # fixtures

CLASSES = ("bright", "dark", "half")
WORDS = ["data=folder", "data.path=images", "training.epochs=1"]
CLASSIFIER = {"head.classifier.0.weight", "head.classifier.0.bias"}


@pytest.fixture
def images(working_folder: Path) -> Path:
    """A folder of three classes of small images."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(CLASSES):
        (working_folder / "images" / name).mkdir(parents=True)
        for index in range(20):
            pixels = rng.integers(60, size=(8, 8)) + 80 * number
            file = working_folder / "images" / name / f"{index}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(file)
    return working_folder / "images"


@pytest.fixture
def trained(model: Path, images: Path) -> Path:
    """A model of ten classes, whose weights are not those that a training begins with."""
    put_other_weights(model)
    put_facts(model, measures={"macs": 1e6, "accuracy": 0.9})
    return model


def put_facts(folder: Path, **more: Any) -> None:
    """Facts that differ, as evonas would have written them."""
    content = json.dumps(facts_of(folder) | more).encode()
    (folder / FACTS).write_bytes(content)
    checks = json.loads((folder / CHECK).read_text())
    checks[CHECKSUMS][FACTS] = checksum(content)
    (folder / CHECK).write_text(json.dumps(checks))


def changed(folder: Path, before: dict[str, torch.Tensor]) -> set[str]:
    after = weights_of(folder)
    assert after.keys() == before.keys()
    return {name for name in after if not torch.equal(after[name], before[name])}


def facts_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / FACTS).read_text()))


def test_the_last_layer_is_replaced_and_the_folder_knows_the_new_classes(
    trained: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = weights_of(trained)
    result = retrain(trained, [*WORDS, "training.freeze=all"], display=EpochLines())
    told = capsys.readouterr().err
    assert "The model knows 10 classes (0, 1, " in told
    assert "the data have 3 classes (bright, dark, half). Its last layer is replaced, and" in told
    assert "2 left fresh: head.classifier.0.weight, head.classifier.0.bias" in told
    learn = (before["head.classifier.0.weight"].shape[1] + 1) * 3
    assert f"training.freeze=all: {learn:,} of " in told
    assert changed(trained, before) == CLASSIFIER
    opened = ModelFolder.open(trained, ())
    assert opened.recipe.classes == CLASSES
    assert facts_of(trained)["section"]["classes"] == 3
    assert facts_of(trained)["size"]["classes"] == 3
    assert facts_of(trained)["measures"] == {"macs": 1e6}, "the accuracy was that of other classes"
    assert opened.trained().network.eval()(torch.zeros(1, 1, 8, 8)).shape == (1, 3)
    assert str(trained / BASE) in result["files"]
    assert result["transferred_from"] == [*"0123456789"]
    assert "It began with weights that knew 10 classes" in (trained / "README.md").read_text()
    (found,) = predict(trained, [images / "dark" / "0.png"])
    assert found["class"] in CLASSES


def test_a_further_training_begins_with_the_same_weights(trained: Path) -> None:
    retrain(trained, WORDS)
    assert "weights: base.safetensors" in (trained / "recipe.yaml").read_text()
    moved = Path(shutil.move(trained, "moved"))
    before = weights_of(moved)
    retrain(moved)
    assert changed(moved, before) == set()
    assert len(facts_of(moved)["transferred_from"]) == 10


def test_classes_of_other_names_are_others_also_where_they_are_as_many(trained: Path) -> None:
    retrain(trained, WORDS)
    (Path("images") / "half").rename(Path("images") / "grey")
    before = weights_of(trained)
    words = [*WORDS, "training.freeze=all", "training.lr0=1e-12"]
    retrain(trained, words)
    assert changed(trained, before) == CLASSIFIER
    first = weights_of(trained)
    retrain(trained, words)
    assert changed(trained, first) == set()
    assert facts_of(trained)["transferred_from"] == [*CLASSES]


def test_with_fresh_weights_if_that_is_said(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = weights_of(trained)["stem.0.weight"]
    words = [*WORDS, "training.weights=null", "training.lr0=1e-12"]
    retrain(trained, words, display=EpochLines())
    assert "its other weights are fresh as well" in capsys.readouterr().err
    assert not (trained / BASE).exists()
    assert "It began with" not in (trained / "README.md").read_text()
    assert not torch.allclose(weights_of(trained)["stem.0.weight"], before, rtol=1e-3)


def test_a_source_that_was_changed_learns_no_other_classes(trained: Path) -> None:
    with (trained / "model.py").open("a") as source:
        source.write("\n")
    (problem,) = problems_of(lambda: retrain(trained, WORDS, trust=True))
    assert "model.py is not as evonas wrote it" in problem
    assert "other classes" in problem


def test_damaged_weights_are_not_begun_with(trained: Path) -> None:
    (trained / "weights.safetensors").write_bytes(b"0")
    (problem,) = problems_of(lambda: retrain(trained, WORDS))
    assert "weights.safetensors is not as evonas wrote it" in problem


@pytest.mark.slow
def test_a_detector_keeps_all_but_the_predictions_of_classes(detector: Path) -> None:
    put_other_weights(detector)
    words = ["data.shapes.classes=3", "training.epochs=1", "training.lr0=1e-12"]
    before = weights_of(detector)
    retrain(detector, words)
    after = weights_of(detector)
    fresh = {name for name in after if after[name].shape != before[name].shape}
    assert fresh == set(tensors_of_classes(facts_of(detector)["section"]))
    assert {name.partition("_")[0] for name in fresh} == {"class"}
    learnt = [name for name in after if name not in fresh and "." in name and "weight" in name]
    assert all(torch.allclose(after[name], before[name], atol=1e-4) for name in learnt)
    assert ModelFolder.open(detector, ()).recipe.classes == ("circle", "square", "triangle")


def test_only_layers_that_give_classes_depend_on_their_number() -> None:
    def depending(name: str) -> set[str]:
        found = preset(name)
        return set(tensors_of_classes(scaled_network(found.blueprint, found.scale)))

    assert depending("mobilenet_v2") == CLASSIFIER
    assert all(name.startswith("head.") for name in depending("vgg16"))
    assert len(depending("vgg16")) == 2


@pytest.mark.slow
def test_a_training_on_other_classes_that_was_stopped_goes_on(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Path(shutil.copytree(trained, "other"))
    words = [*WORDS, "training.epochs=2"]
    retrain(trained, words)
    with monkeypatch.context() as patch:
        stop_after(1, patch)
        with pytest.raises(Stopped):
            retrain(other, words)
    assert ModelFolder.open(other, ()).recipe.classes == tuple("0123456789")
    retrain(other, words, display=EpochLines())
    assert "Going on after epoch 1" in capsys.readouterr().err
    assert changed(other, weights_of(trained)) == set()
