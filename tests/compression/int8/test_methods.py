"""Static int8 and training that knows of it, over networks that were trained."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime.quantization as theirs
import pytest
import torch
from conftest import a_network, a_stage
from detectors import detector
from onnx import numpy_helper
from small_networks import drawn, images
from torch import nn

from evonas.blueprint import Blueprint, scaled_network
from evonas.compression.compress import compressed, deployable, planned, stored_bytes
from evonas.compression.int8.quantised import quantised
from evonas.compression.step import StepKit
from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.errors import BuildError
from evonas.exporters.agreement import outputs_of, share_within_a_quantum
from evonas.exporters.onnx import onnx_model
from evonas.exporters.onnx_graph import INPUT_NAME
from evonas.exporters.onnx_network import OnnxNetwork
from evonas.models import Network, count, deployed, initialise
from evonas.networks import Scale
from evonas.networks import planned as plan_of
from evonas.settings import CompressionSettings, DataSettings, TrainingSettings
from evonas.tasks import task_of
from evonas.tasks.normalisation import normalised
from evonas.training import evaluate, train

CPU = torch.device("cpu")
STAGES = [
    a_stage(channels=24),
    a_stage(operation="inverted_residual", expansion=3, se_ratio=0.25, channels=32, layers=2),
]


def asked(method: str, **changes: Any) -> CompressionSettings:
    return CompressionSettings.model_validate({"quantisation": {"method": method, **changes}})


class Case:
    """A trained network, and what works with it."""

    def __init__(self, section: dict[str, Any], data: Dataset, **recipe: Any) -> None:
        self.section, self.data = section, data
        task = task_of(data.problem)
        self.recipe = TrainingSettings(**{**task.recipe, "auxiliary": 0.0, **recipe})
        self.main = task.main
        self.network = Network(plan_of(section))
        initialise(self.network, 0)
        train(self.network, data.train, data.problem, self.recipe, 0)
        self.shape = self.network.plan.input_shape

    def kit(self, settings: CompressionSettings) -> StepKit:
        own = (settings, self.recipe, self.section, self.data.train, self.data.problem)
        return StepKit(*own, seed=0, device=CPU)

    def made(self, method: str, **changes: Any) -> Any:
        made = compressed(copy.deepcopy(self.network), self.kit(asked(method, **changes)))
        assert made.quantised is not None
        return made

    def in_onnx_runtime(self, network: nn.Module) -> OnnxNetwork:
        return OnnxNetwork(onnx_model(network, self.shape, None))

    def score(self, network: nn.Module) -> float:
        data = self.data
        return evaluate(network, data.validation, data.problem, self.recipe)[self.main]

    @property
    def images(self) -> torch.Tensor:
        return normalised(torch.from_numpy(self.data.validation.images[:128]), self.data.problem)


@pytest.fixture(scope="module")
def digits() -> Case:
    data = load_data(DataSettings(name="digits"), resolution_px=16)
    scale = Scale("proxy", 16, input_channels=1, smallest_map_px=4)
    section = scaled_network(Blueprint(a_network(*STAGES)), scale)
    return Case(dict(section), data, epochs=4)


@pytest.fixture(scope="module")
def shapes() -> Case:
    own = {"images": 60, "classes": 2, "resolution_px": 64}
    data = load_data(DataSettings.model_validate({"name": "shapes", "shapes": own}), 64)
    scale = Scale("proxy", 64, classes=2, input_channels=3)
    return Case(dict(scaled_network(Blueprint(detector()), scale)), data, epochs=6)


def test_int8_loses_at_most_a_point_and_is_what_onnx_runtime_computes(digits: Case) -> None:
    before = digits.score(digits.network)
    assert before > 0.8
    for settings in ({}, {"calibration": "percentile", "images": 64}):
        made = digits.made("int8", **settings)
        run = digits.in_onnx_runtime(made.quantised)
        assert digits.score(run) >= before - 0.01
        assert share_within_a_quantum(made.quantised, run, digits.images) >= 0.99
        ours, whole = (outputs_of(n, digits.images)[0].argmax(1) for n in (run, made.quantised))
        assert torch.equal(ours, whole)
    assert made.network is not made.quantised
    assert made.deployed is made.quantised


def test_a_detector_gives_boxes_and_scores_of_8_bits_and_is_scored_by_all_that_it_learns(
    shapes: Case,
) -> None:
    made = shapes.made("int8").quantised
    before, after = (shapes.score(each) for each in (shapes.network, shapes.in_onnx_runtime(made)))
    assert abs(before - after) < 0.02
    run = shapes.in_onnx_runtime(deployed(made))
    assert share_within_a_quantum(deployed(made), run, shapes.images) >= 0.99
    boxes, scores = outputs_of(run, shapes.images)
    assert boxes.shape[2] == 4
    assert scores.shape[2] == 2


class Reader(theirs.CalibrationDataReader):
    def __init__(self, batches: list[np.ndarray[Any, Any]]) -> None:
        self.batches = iter(batches)

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self.batches, None)
        return None if batch is None else {INPUT_NAME: batch}


def test_it_is_as_accurate_as_onnx_runtimes_own_static_quantisation(
    digits: Case, tmp_path: Path
) -> None:
    (tmp_path / "plain.onnx").write_bytes(onnx_model(digits.network.eval(), digits.shape, None))
    chosen = torch.from_numpy(digits.data.train.images[:256])
    given = normalised(chosen, digits.data.problem).contiguous().numpy()
    theirs.quant_pre_process(tmp_path / "plain.onnx", tmp_path / "folded.onnx")
    theirs.quantize_static(
        tmp_path / "folded.onnx",
        tmp_path / "int8.onnx",
        Reader([given]),
        quant_format=theirs.QuantFormat.QDQ,
        per_channel=True,
        activation_type=theirs.QuantType.QUInt8,
        weight_type=theirs.QuantType.QInt8,
        op_types_to_quantize=["Conv", "Gemm", "Add"],
    )
    other = digits.score(OnnxNetwork((tmp_path / "int8.onnx").read_bytes()))
    assert digits.score(digits.in_onnx_runtime(digits.made("int8").quantised)) >= other - 0.01


def test_a_training_that_knows_of_8_bits_goes_on_and_gives_what_onnx_runtime_computes(
    digits: Case,
) -> None:
    one, other = (digits.made("qat", epochs=0.25).quantised for _ in range(2))
    static = digits.made("int8").quantised
    weights = [list(each.parameters()) for each in (one, other, static)]
    assert all(torch.equal(a, b) for a, b in zip(weights[0], weights[1], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(weights[0], weights[2], strict=True))
    run = digits.in_onnx_runtime(one)
    assert share_within_a_quantum(one, run, digits.images) >= 0.99
    assert digits.score(run) >= digits.score(digits.in_onnx_runtime(static)) - 0.005
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            digits.made("qat", epochs=0).quantised.parameters(), weights[2], strict=True
        )
    )


def test_a_detector_is_trained_further_in_8_bits(shapes: Case) -> None:
    made = shapes.made("qat").quantised
    after = shapes.score(shapes.in_onnx_runtime(made))
    assert after > shapes.score(shapes.network) - 0.05


def numbers(model: bytes) -> list[Any]:
    return [numpy_helper.to_array(each) for each in onnx.load_from_string(model).graph.initializer]


@pytest.mark.parametrize("name", ["detector", "mobile_cells", "nasnet_cells", "residual_stages"])
def test_the_plan_alone_tells_the_bytes_of_the_parameters_in_the_file(name: str) -> None:
    network, shape = drawn(name, seed=3)
    plan, settings = network.plan, asked("int8")
    made = quantised(network, images(2, shape), settings.quantisation)
    constants = [np.asarray(each) for each in deployed(made).buffers() if each.numel() > 1]
    written = [
        each
        for each in numbers(onnx_model(deployed(made), shape, 1))
        if each.ndim and each.dtype != np.int64
    ]
    found = sum(
        each.nbytes
        for each in written
        if not any(np.array_equal(each, constant) for constant in constants)
    )
    stored = stored_bytes(plan, settings)
    # Zeros of linear layers, equal numbers, and weights of sums, which are computed beforehand.
    assert stored == pytest.approx(found, rel=0.02)
    assert stored < 4 * count(plan.as_deployed()).parameters


def test_large_files_are_at_least_three_and_a_half_times_smaller() -> None:
    wide = a_network(a_stage(channels=128, layers=3), a_stage(channels=256, layers=2))
    section = scaled_network(Blueprint(wide), Scale("full", 32))
    plain, small = (
        onnx_model(deployed(deployable(section, settings)), plan_of(section).input_shape, 1)
        for settings in (CompressionSettings(), asked("int8"))
    )
    assert count(plan_of(section)).parameters > 500_000
    assert len(plain) > 3.5 * len(small)


def test_a_network_without_anything_to_compute_in_8_bits_is_refused_before_it_is_trained() -> None:
    first = {"conv": "classes", "kernel": 3}
    head = [first, {"global_pool": "average"}]
    chain = {"builder": "chain", "activation": "relu", "layers": [], "head": head}
    section = scaled_network(Blueprint(chain), Scale("proxy", 4, classes=2, input_channels=1))
    for method in ("int8", "qat"):
        with pytest.raises(BuildError, match="cannot be computed in 8 bits"):
            planned(section, asked(method))
