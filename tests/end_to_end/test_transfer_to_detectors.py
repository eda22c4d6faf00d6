"""A classifier that evonas trained is the backbone that detectors begin with."""

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import yaml
from conftest import QUICK_DETECTORS, SHAPES, SMALL_DETECTOR, changed, typed

SEARCH = ["executor=inline", "training.epochs=1", "budget.evaluations=1", "display=plain"]


def words_of(*words: str) -> str:
    """What evonas says of a command that succeeds."""
    result = typed(*words)
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr


def spaces() -> None:
    """Detectors of one backbone, and classifiers of the same stages."""
    text = changed(
        SMALL_DETECTOR.read_text(),
        ("kernel: {choice: [3, 5]}", "kernel: 3"),
        ("channels: {choice: [8, 12]}", "channels: 12"),
        ("channels: {choice: [16, 24]}", "channels: 24"),
    )
    Path("detectors.yaml").write_text(text)
    values: dict[str, Any] = yaml.safe_load(text)
    backbone = values["network"]["backbone"]
    head = {"channels": {"choice": [32, 64]}}
    network = {"builder": "stages", "activation": "relu", **backbone, "head": head}
    Path("classifiers.yaml").write_text(yaml.safe_dump({**values, "network": network}))


def backbone_in(file: str) -> dict[str, torch.Tensor]:
    tensors = safetensors.torch.load_file(file)
    return {n: t for n, t in tensors.items() if n.startswith(("stem.", "stage_"))}


def is_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_a_classifier_becomes_a_detector() -> None:
    spaces()
    data = ["data=synthetic", "data.synthetic.images=200", "objectives=accuracy,macs"]
    words_of("search", "space=./classifiers.yaml", *data, *SEARCH, "run.name=classes")
    words_of("export", "classes", "--to", "classes", "--scale", "proxy")
    given = "classes/weights.safetensors"
    transfer = [f"training.weights={given}", "training.freeze=all"]
    search = ["space=./detectors.yaml", *QUICK_DETECTORS[1:], *SEARCH, "objectives=map50,macs"]
    said = words_of("search", *search, *transfer, "run.name=boxes")
    line = next(line for line in said.splitlines() if given in line)
    count = len(backbone_in(given))
    assert ": 8 of 8 designs, drawn at random, begin with weights" in line
    assert f"{count} tensors taken" in line
    words_of("export", "boxes", "--to", "boxes", "--scale", "proxy")
    learnt = "boxes/weights.safetensors"
    assert is_same(backbone_in(learnt), backbone_in(given))
    retrain = ["retrain", "boxes", "training.epochs=1", *SHAPES, f"training.weights={given}"]
    said = words_of(*retrain, "training.freeze=all")
    assert f"{count} tensors taken" in said
    assert is_same(backbone_in(learnt), backbone_in(given))
    words_of(*retrain, "training.freeze=0")
    assert not is_same(backbone_in(learnt), backbone_in(given))
