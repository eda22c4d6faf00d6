"""Detectors as ONNX models: as they are, and with suppression inside."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from detectors import blueprint, detector
from numpy.typing import NDArray

from evonas.errors import ExportError
from evonas.exporters.agreement import onnx_agreement, outputs_of
from evonas.exporters.onnx_graph import onnx_graph
from evonas.exporters.onnx_suppression import with_suppression
from evonas.models import Network, build, deployed
from evonas.networks import Scale

SHAPE = (3, 32, 32)
SCALE = Scale("full", resolution_px=32, classes=3)


def network(**changes: Any) -> Network:
    """With scores all over the place, so that there is something to choose."""
    made = build(blueprint(detector(**changes)), SCALE, seed=0).eval()
    with torch.no_grad():
        for name, weights in made.named_parameters():
            if name.startswith("class") and name.endswith("1.weight"):
                weights.mul_(40)
    shipped = deployed(made)
    assert isinstance(shipped, Network)
    return shipped


def images(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(seed))


def run(model: bytes, given: torch.Tensor) -> list[NDArray[Any]]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return list(session.run(None, {"images": given.numpy()}))


OF_EACH_KIND: list[dict[str, Any]] = [
    {},
    {"head": {"bins": 1, "depth": 0}, "neck": {"width": 8, "kind": "none", "spp": True}},
    {"head": {"one_to_one": True}, "neck": {"width": 8, "fusion": "weighted"}, "levels": 3},
    {"head": {"bins": 16, "depthwise": True}, "neck": {"width": 8, "kind": "fpn"}},
]


@pytest.mark.parametrize("changes", OF_EACH_KIND)
@pytest.mark.parametrize("batch", [1, None])
def test_boxes_and_scores_are_those_of_the_network(
    changes: dict[str, Any], batch: int | None
) -> None:
    made = network(**changes)
    model = onnx_graph(made, SHAPE, batch)
    graph = onnx.load_from_string(model).graph
    onnx.checker.check_model(onnx.load_from_string(model))
    assert [output.name for output in graph.output] == ["boxes", "scores"]
    assert onnx_agreement(made, model, images(batch or 3)).difference < 1e-4


def greedy(
    boxes: torch.Tensor, scores: torch.Tensor, iou: float, confidence: float, most: int
) -> list[tuple[float, int, list[float]]]:
    """Score, class and box of what is kept, one box after the other."""
    kept: list[tuple[float, int, list[float]]] = []
    order = scores.flatten().argsort(descending=True)
    for place in order.tolist():
        point, label = divmod(place, scores.shape[1])
        score, box = float(scores[point, label]), boxes[point].tolist()
        of_class = [other for _, known, other in kept if known == label]
        if score > confidence and all(overlap(box, other) <= iou for other in of_class):
            kept.append((score, label, box))
    return kept[:most]


def overlap(one: list[float], other: list[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


@pytest.mark.parametrize(
    ("iou", "confidence", "most"), [(0.65, 0.05, 300), (0.3, 0.001, 300), (0.9, 0.01, 7)]
)
def test_suppression_inside_is_suppression_behind(iou: float, confidence: float, most: int) -> None:
    made, given = network(), images(1, seed=3)
    model = with_suppression(onnx_graph(made, SHAPE, 1), iou, confidence, most)
    onnx.checker.check_model(onnx.load_from_string(model))
    boxes, scores, classes = run(model, given)
    kept = greedy(*(each[0] for each in outputs_of(made, given)), iou, confidence, most)
    assert 1 < len(kept) <= most
    assert (boxes.shape, scores.shape, classes.shape) == ((len(kept), 4), *[(len(kept),)] * 2)
    np.testing.assert_allclose(scores, [score for score, _, _ in kept], atol=1e-5)
    assert classes.tolist() == [label for _, label, _ in kept]
    np.testing.assert_allclose(boxes, [box for _, _, box in kept], atol=1e-3)


def test_an_image_without_anything_has_no_boxes() -> None:
    model = with_suppression(onnx_graph(network(), SHAPE, 1), confidence=1.0)
    assert [each.shape for each in run(model, images(1))] == [(0, 4), (0,), (0,)]


def test_suppression_is_inside_models_of_one_image() -> None:
    with pytest.raises(ExportError, match="of one image, and this one takes batch"):
        with_suppression(onnx_graph(network(), SHAPE, None))


def test_suppression_takes_boxes_and_scores() -> None:
    made = network()
    raw = Network(made.plan.giving("logits", "distances"))
    with pytest.raises(ExportError, match=r"got \['logits', 'distances'\]"):
        with_suppression(onnx_graph(raw.eval(), SHAPE, 1))
