"""The ONNX model of an exported detector with suppression inside."""

import copy

import numpy as np
import onnxruntime
import pytest
import torch

from evonas.delivery.suppressed_model import suppressed_model
from evonas.model_folder.recipe_file import InputSettings, OriginSettings, Recipe
from evonas.models import build, deployed
from evonas.settings import TrainingSettings
from evonas.space import load_space
from evonas.tasks.detection.detect import detect


def recipe(**training: object) -> Recipe:
    return Recipe(
        task="detection",
        data=None,
        input=InputSettings(channels=3, resolution_px=96),
        classes=tuple("0123456789"),
        training=TrainingSettings.model_validate(training),
        seed=0,
        origin=OriginSettings(run="a", trial=0, scale="proxy"),
    )


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    """Untrained: all scores are near 0.01."""
    space = load_space("detector")
    design = space.decode([gene.default_number for gene in space.genes])
    return build(design, space.scales["proxy"], seed=0).eval()


def test_it_gives_the_boxes_that_detect_gives(network: torch.nn.Module) -> None:
    image = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        confidence = float(deployed(network)(image)[1].quantile(0.9))
    model = suppressed_model(network, recipe(confidence=confidence, nms_iou=0.5))
    assert model is not None
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    boxes, scores, classes = session.run(None, {"images": image.numpy()})
    (wanted,) = detect(deployed(network), image, confidence=confidence, threshold=0.5)
    assert len(boxes) == len(wanted[0]) > 3
    assert np.allclose(np.sort(scores), np.sort(wanted[1].numpy()), atol=1e-6)
    assert np.bincount(classes).tolist() == np.bincount(wanted[2].numpy()).tolist()


def test_scores_that_are_all_equal_are_no_reason_to_refuse(network: torch.nn.Module) -> None:
    alike = copy.deepcopy(network)
    with torch.no_grad():
        for name, weights in alike.named_parameters():
            if name.startswith("class") and name.endswith("weight"):
                weights.zero_()
        (scores,) = deployed(alike)(torch.zeros(1, 3, 96, 96))[1]
    assert scores.unique().numel() <= 2
    assert suppressed_model(alike, recipe(confidence=0.001)) is not None


def test_there_is_none_where_nothing_is_suppressed(network: torch.nn.Module) -> None:
    assert suppressed_model(network, recipe(nms="none")) is None
    space = load_space("nano")
    classifier = build(space.decode([0.0] * len(space.genes)), space.scales["proxy"], seed=0)
    assert suppressed_model(classifier, recipe()) is None
