"""A small SSD from a space file to boxes of a picture."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from conftest import QUICK_DETECTORS, REPOSITORY, typed
from PIL import Image

SPACE = REPOSITORY / "tests" / "small_ssd.yaml"
SEARCH = ["executor=inline", "training.epochs=1", "budget.evaluations=1", "display=none"]


def done(*words: str) -> str:
    result = typed(*words)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.slow
def test_it_is_searched_exported_retrained_and_predicts() -> None:
    words = [f"space={SPACE}", *QUICK_DETECTORS[1:], "objectives=map50,latency_raw_ms"]
    done("search", *words, *SEARCH, "run.name=boxes")
    done("export", "boxes", "--to", "model")
    agreed = json.loads(Path("model/check.json").read_text())
    assert agreed["sha256"].keys() >= {"model.onnx", "weights.safetensors"}
    done("retrain", "model", "training.epochs=1", "training.confidence=0.001")
    Image.new("RGB", (60, 40)).save("picture.png")
    (said,) = json.loads(done("predict", "model", "picture.png", "--json"))
    assert {box["class"] for box in said["boxes"]} <= {"circle", "square"}
    session = onnxruntime.InferenceSession("model/model.onnx")
    boxes, scores = session.run(None, {"images": np.zeros((2, 3, 48, 48), np.float32)})
    assert boxes.shape == (2, scores.shape[1], 4)
    assert scores.shape[2] == 2
    assert ((scores >= 0) & (scores <= 1)).all()
