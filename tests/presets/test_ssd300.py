"""SSD300 with an eighth of its channels learns boxes, and is written as ONNX."""

from dataclasses import replace

import pytest
import torch

from evonas.exporters.onnx_graph import onnx_graph
from evonas.models import build, deployed
from evonas.presets import preset
from evonas.settings import TrainingSettings
from evonas.tasks.detection.detection_loss import detection_loss
from evonas.tasks.detection.suppression import found

BOXES = 8732


@pytest.mark.slow
def test_it_trains_a_step_decodes_and_agrees_as_onnx() -> None:
    ort = pytest.importorskip("onnxruntime")
    published = preset("ssd300_vgg16_voc")
    network = build(published.blueprint, replace(published.scale, width=0.125), seed=0)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, 300, 300, generator=generator)
    corners = 200 * torch.rand(2, 3, 2, generator=generator)
    sizes = 10 + 80 * torch.rand(2, 3, 2, generator=generator)
    classes = torch.randint(20, (2, 3, 1), generator=generator).float()
    targets = torch.cat([classes, corners, corners + sizes], 2)
    optimizer = torch.optim.SGD(network.parameters(), 1e-3)
    recipe = TrainingSettings(label_smoothing=0)
    losses = []
    for _ in range(2):
        loss = detection_loss(network.train()(images), targets, recipe)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]
    shipped = deployed(network.eval())
    with torch.no_grad():
        boxes, scores = shipped(images)
    assert (boxes.shape, scores.shape) == ((2, BOXES, 4), (2, BOXES, 20))
    assert (found(boxes, scores, "nms", 0.5, 0.001).scores > 0).any()
    session = ort.InferenceSession(onnx_graph(shipped, (3, 300, 300), None))
    for own, other in zip(
        (boxes, scores), session.run(None, {"images": images.numpy()}), strict=True
    ):
        torch.testing.assert_close(torch.from_numpy(other), own, atol=1e-3, rtol=1e-4)
