"""Published detectors learn from boxes, find boxes, and are exported; narrow here, and at 64 px."""

from dataclasses import replace

import pytest
import torch

from evonas.data.frame import frame_of
from evonas.exporters.agreement import onnx_agreement
from evonas.exporters.onnx_graph import onnx_graph
from evonas.models import Network, build, deployed
from evonas.networks import GRAMMARS
from evonas.networks.problem import Problem
from evonas.presets import preset, presets
from evonas.settings import TrainingSettings
from evonas.tasks import TASKS

DETECTION = TASKS["detection"]
DETECTORS = [
    name
    for name, found in presets().items()
    if GRAMMARS[found.blueprint.network["builder"]].task == "detection"
]
CLASSES = 3
PROBLEM = Problem("boxes", 3, ("one", "two", "three"), (0.5,) * 3, (0.25,) * 3)
# Sides of images for detectors whose maps would not fit into those of the others.
# At 64 px, fused maps of 2x2 px are too few values for norms: a step is then no small one.
SIDES = {"ssd300_vgg16_voc": 300, "yolov3_asff": 128}
PX = 64


def narrow(name: str) -> Network:
    found = preset(name)
    px = SIDES.get(name, PX)
    scale = replace(found.scale, resolution_px=px, width=0.125, classes=CLASSES)
    return build(found.blueprint, scale, seed=0)


def images(name: str) -> torch.Tensor:
    px = SIDES.get(name, PX)
    return torch.randn(2, 3, px, px, generator=torch.Generator().manual_seed(1))


def boxes(name: str) -> torch.Tensor:
    """Three of random place, size and class in each of two images."""
    generator = torch.Generator().manual_seed(2)
    first, size = torch.rand(2, 2, 3, 2, generator=generator).unbind(0)
    corners = torch.cat([first, first + 0.1 + size], 2).clamp(max=1.2) / 1.2 * SIDES.get(name, PX)
    classes = torch.randint(0, CLASSES, (2, 3, 1), generator=generator)
    return torch.cat([classes, corners], 2)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_step_on_random_boxes_makes_their_loss_smaller(name: str) -> None:
    network, recipe = narrow(name).train(), TrainingSettings()
    given, targets = images(name), boxes(name)
    losses = []
    for _ in range(2):
        loss = DETECTION.loss(network(given), targets, recipe)
        network.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        gradients = [tensor.grad for tensor in network.parameters() if tensor.grad is not None]
        assert len(gradients) == len([*network.parameters()])
        losses.append(loss.item())
        length = torch.stack([each.norm() for each in gradients]).norm()
        with torch.no_grad():
            for tensor in network.parameters():
                tensor -= 0.01 / length * tensor.grad  # type: ignore[operator]
    assert losses[1] < losses[0]


@pytest.mark.parametrize("name", DETECTORS)
def test_what_is_exported_finds_the_same_boxes(name: str) -> None:
    network = deployed(narrow(name).eval())
    given = images(name)
    batch, *shape = given.shape
    model = onnx_graph(network, (shape[0], shape[1], shape[2]), batch)
    assert onnx_agreement(network, model, given).difference < 1e-4
    outputs = network(given)
    assert DETECTION.right_shapes([(1, *each.shape[1:]) for each in outputs], PROBLEM) is None
    arrays = [each.detach().numpy() for each in outputs]
    frames = [frame_of((shape[1], shape[2]), "crop")] * batch
    told = DETECTION.predictions(arrays, frames, shape[1], PROBLEM, TrainingSettings(confidence=0))
    assert [bool(each["boxes"]) for each in told] == [True, True]
