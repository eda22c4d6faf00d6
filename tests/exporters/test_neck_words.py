"""Necks with all that words add to them: through every form that a model has."""

from pathlib import Path
from typing import Any

import pytest
import torch
from detectors import blueprint, detector, plan
from safetensors.torch import save_file

from evonas.compression.int8.quantised import quantised
from evonas.exporters.agreement import (
    largest_difference,
    onnx_agreement,
    outputs_of,
    share_within_a_quantum,
)
from evonas.exporters.onnx import onnx_model
from evonas.exporters.onnx_network import OnnxNetwork
from evonas.exporters.source import network_source
from evonas.hardware.memory import peak_memory_bytes
from evonas.hardware.predictor import work_of
from evonas.models import Network, build, count, deployed
from evonas.networks import Scale
from evonas.networks.detector.necks import NECKS
from evonas.settings.compression import QuantisationSettings
from evonas.training.parts import has_role

SHAPE = (3, 32, 32)
ALL = {"rfb": True, "asff": True, "sam": True, "compress": True}
WORDS: list[dict[str, Any]] = [
    *({"kind": kind, **ALL} for kind in NECKS),
    {"kind": "fpn", "fusion": "weighted", "asff": True},
]


def section(neck: dict[str, Any]) -> dict[str, Any]:
    return detector(neck={"width": 8, **neck})


def images(number: int) -> torch.Tensor:
    return torch.randn(number, *SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module", params=WORDS, ids=str)
def neck(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(request.param)


@pytest.fixture(scope="module")
def network(neck: dict[str, Any]) -> Network:
    """With norms that have seen images, and predictions that differ from point to point."""
    made = build(blueprint(section(neck)), Scale("full", 32, classes=3), seed=0).train()
    with torch.no_grad():
        for layer in made.modules():
            if has_role(layer, "prediction"):
                layer.get_parameter("weight").mul_(30)
        for _ in range(30):
            made(images(8))
    return deployed(made.eval())  # type: ignore[return-value]


def test_it_is_counted_as_it_is_built(neck: dict[str, Any], network: Network) -> None:
    counted = count(plan(section(neck)).as_deployed())
    assert counted.parameters == sum(weights.numel() for weights in network.parameters())
    assert counted == count(network.plan)


def test_memory_and_work_are_known_without_running_it(network: Network) -> None:
    weights = 4 * sum(each.numel() for each in network.parameters())
    assert peak_memory_bytes(network.plan) > weights + 4 * 8 * 16 * 16
    assert work_of(network.plan).operations.total() > 30


def test_onnx_runtime_gives_its_boxes(network: Network) -> None:
    for batch in (1, None):
        model = onnx_model(network, SHAPE, batch)
        assert onnx_agreement(network, model, images(1)).difference < 1e-4


def test_its_source_gives_its_boxes(network: Network, tmp_path: Path) -> None:
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    names: dict[str, Any] = {"__file__": str(tmp_path / "model.py"), "__name__": "model"}
    exec(compile(network_source(network.plan, "A title"), "model.py", "exec"), names)
    assert largest_difference(
        outputs_of(network, images(2)), outputs_of(names["load"](), images(2))
    ) == pytest.approx(0, abs=1e-6)


def test_it_computes_in_8_bits_as_onnx_runtime_does(network: Network) -> None:
    """But for single values, as softmax has a kernel of 8 bits, which rounds otherwise."""
    made = quantised(network, images(16), QuantisationSettings(method="int8"))
    run = OnnxNetwork(onnx_model(made, SHAPE, None))
    assert share_within_a_quantum(made, run, images(8)) > 0.95
