"""Scores and predictions by images and their mirror images, which every output tells."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import typed
from PIL import Image
from small_model import WORDS, detector, made, made_detector, model

from evonas.delivery.predict import as_rows, predict
from evonas.delivery.retrain import retrain
from evonas.model_folder.model_folder import ModelFolder

__all__ = ["detector", "made", "made_detector", "model"]  # fixtures

FLIP = "training.flip_test=true"


def pictures(folder: Path) -> list[Path]:
    """One, and its mirror image."""
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)
    files = [folder / "a.png", folder / "b.png"]
    for file, each in zip(files, (pixels, pixels[:, ::-1]), strict=True):
        Image.fromarray(np.ascontiguousarray(each)).save(file)
    return files


@pytest.mark.slow
def test_a_retraining_with_them_says_so_in_every_output(model: Path) -> None:
    result = typed("retrain", str(model), *WORDS, "training.epochs=1", FLIP)
    assert " images, each together with its mirror image, after" in result.stdout
    assert json.loads((model / "training.json").read_text())["flip_test"] is True
    folder = ModelFolder.open(model, ())
    assert folder.recipe.training.flip_test
    latency = json.loads((model / "check.json").read_text())["latency"]
    assert latency["flip_test_ms"] == 2 * latency["ms"]
    card = (model / "README.md").read_text()
    assert "images of digits that neither search nor training saw, each together with its" in card
    assert f"| flip_test_ms | {latency['flip_test_ms']:.4g} | this model | twice that" in card
    assert "(`training.flip_test`)" in card
    clock = typed("latency", str(model), "latency.spread=1")
    assert "two passes" in clock.stdout
    files = [str(file) for file in pictures(model.parent)]
    one, other = json.loads(typed("predict", str(model), *files, "--json").stdout)
    assert one["flip_test"] is True
    assert list(one["probabilities"].values()) == pytest.approx(
        list(other["probabilities"].values())
    )
    assert as_rows([one], model)[0]["flip_test"] == "yes"
    told = typed("predict", str(model), *files)
    assert "flip_test" in told.stdout


@pytest.mark.slow
def test_without_them_no_output_speaks_of_them(model: Path) -> None:
    result = retrain(model, [*WORDS, "training.epochs=1"])
    assert "flip_test" not in result
    assert "mirror" not in (model / "README.md").read_text()
    assert "flip_test" not in (model / "check.json").read_text()
    one, other = predict(model, pictures(model.parent))
    assert "flip_test" not in one
    assert one["probabilities"] != other["probabilities"]


@pytest.mark.slow
def test_a_detector_sees_in_a_mirror_image_what_it_sees_in_the_image(
    detector: Path,
) -> None:
    words = ["training.epochs=1", FLIP, "training.confidence=0.0001"]
    result = retrain(detector, words)
    assert result["flip_test"] is True
    seen, mirrored = (each["boxes"] for each in predict(detector, pictures(detector.parent)))
    assert len(seen) == len(mirrored) > 1
    assert [box["score"] for box in seen] == pytest.approx([box["score"] for box in mirrored])
    assert seen[0]["x1"] == pytest.approx(16 - mirrored[0]["x2"], abs=1e-3)
