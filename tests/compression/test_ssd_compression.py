"""An SSD is computed in 8 bits, loses channels, and learns from another one."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from detectors import blueprint, ssd

from evonas.blueprint import scaled_network
from evonas.compression.compress import compressed
from evonas.compression.last_maps import last_maps
from evonas.compression.pruning.matching import Coupling
from evonas.compression.step import StepKit
from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.errors import BuildError
from evonas.exporters.agreement import share_within_a_quantum
from evonas.exporters.onnx import onnx_model
from evonas.exporters.onnx_network import OnnxNetwork
from evonas.models import Network, deployed, initialise
from evonas.networks import Scale, narrowed
from evonas.networks import planned as plan_of
from evonas.settings import CompressionSettings, DataSettings, TrainingSettings
from evonas.tasks import TASKS
from evonas.tasks.normalisation import normalised
from evonas.training import train

CPU = torch.device("cpu")
SCALE = Scale("proxy", 48, classes=2)


@pytest.fixture(scope="module")
def shapes() -> Dataset:
    own = {"images": 40, "classes": 2, "resolution_px": 48}
    return load_data(DataSettings.model_validate({"name": "shapes", "shapes": own}), 48)


def section(**neck: Any) -> dict[str, Any]:
    own = blueprint(ssd(norm="batch", neck={**ssd()["neck"], **neck}))
    return dict(scaled_network(own, SCALE))


def recipe(**values: Any) -> TrainingSettings:
    return TrainingSettings(**{**TASKS["detection"].recipe, "amp": "off", "epochs": 2, **values})


def trained(own: dict[str, Any], data: Dataset) -> Network:
    network = Network(plan_of(own))
    initialise(network, 0)
    train(network, data.train, data.problem, recipe(), 0)
    return network


def made(data: Dataset, network: Network, own: dict[str, Any], **settings: Any) -> Any:
    asked = CompressionSettings.model_validate(settings)
    kit = StepKit(asked, recipe(), own, data.train, data.problem, seed=0, device=CPU)
    return compressed(copy.deepcopy(network), kit)


@pytest.mark.slow
def test_onnx_runtime_computes_the_same_in_8_bits(shapes: Dataset) -> None:
    own = section()
    found = made(shapes, trained(own, shapes), own, quantisation={"method": "int8"})
    assert found.quantised is not None
    whole = deployed(found.quantised)
    images = normalised(torch.from_numpy(shapes.validation.images[:8]), shapes.problem)
    run = OnnxNetwork(onnx_model(whole, (3, 48, 48), None))
    assert share_within_a_quantum(whole, run, images) >= 0.98


def test_channels_go_and_boxes_stay(shapes: Dataset) -> None:
    own = section(l2_norm=False, width=32)
    network = trained(own, shapes)
    found = made(shapes, network, own, pruning={"method": "channels", "epochs": 0}).network
    before, after = (sum(p.numel() for p in each.parameters()) for each in (network, found))
    assert after < before
    images = torch.zeros(1, 3, 48, 48)
    with torch.no_grad():
        shapes_of = [[each.shape for each in net.eval()(images)] for net in (network, found)]
    assert shapes_of[0] == shapes_of[1]


def test_channels_of_one_length_do_not_go() -> None:
    own = section(width=32)
    with pytest.raises(BuildError, match="reads what depends on all channels at once"):
        Coupling(plan_of(own), plan_of(narrowed(own, [0.5])))


def test_its_last_maps_are_those_of_its_levels_and_not_the_images() -> None:
    network = Network(plan_of(section()))
    with last_maps(network, torch.zeros(1, 3, 48, 48)) as maps:
        network.eval()(torch.zeros(2, 3, 48, 48))
        assert [tuple(each.shape[1:]) for each in maps] == [
            *((8, 6, 6), (8, 3, 3), (16, 2, 2), (8, 1, 1)),
        ]


def test_it_has_less_loss_the_more_it_says_what_its_teacher_says(shapes: Dataset) -> None:
    own = section()
    teacher, network = trained(own, shapes), Network(plan_of(own))
    initialise(network, 3)
    images = torch.from_numpy(np.asarray(shapes.train.images[:8], np.float32) / 255)
    with torch.no_grad():
        taught, said = (each.eval()(images) for each in (teacher, network))
    task = TASKS["detection"]
    assert task.unteachable(said, taught) is None
    far, near = (task.imitation_loss(each, taught, 2.0, recipe()).item() for each in (said, taught))
    assert far > near == pytest.approx(0, abs=1e-5)
