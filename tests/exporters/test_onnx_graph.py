"""Graphs that evonas writes itself: each operation, against torch."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from detectors import blueprint, detector
from torch import nn

from evonas.exporters.agreement import outputs_of
from evonas.exporters.onnx import torch_onnx
from evonas.exporters.onnx_graph import INPUT_NAME, NotExpressible, onnx_graph
from evonas.models import build, deployed
from evonas.models.activations import ACTIVATIONS
from evonas.models.network import build_layer
from evonas.models.norms import NORMS
from evonas.models.trace import trace
from evonas.networks import Scale
from evonas.networks.cells.operations import OPERATIONS
from evonas.networks.plan import Layer
from evonas.space import known_spaces, load_space

CHANNELS = 6


def assert_written_rightly(network: nn.Module, shape: tuple[int, int, int], batch: int = 2) -> None:
    generator = torch.Generator().manual_seed(0)
    given = torch.randn(batch, *shape, generator=generator)
    model = onnx_graph(network, shape, batch)
    onnx.checker.check_model(onnx.load_from_string(model))
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    found = session.run(None, {INPUT_NAME: given.numpy()})
    for wanted, got in zip(outputs_of(network, given), found, strict=True):
        size = max(1.0, float(wanted.abs().max()))
        torch.testing.assert_close(
            torch.from_numpy(got) / size, wanted / size, atol=1e-5, rtol=1e-4
        )


@pytest.mark.parametrize("table", [ACTIVATIONS, NORMS], ids=["activations", "norms"])
def test_activations_and_norms(table: dict[str, type[nn.Module]]) -> None:
    for name, make in table.items():
        made = nn.Sequential(make(CHANNELS), nn.ReLU())
        for values in made.buffers():  # norms that have seen images
            values.copy_(torch.full_like(values, 2))
        assert_written_rightly(made, (CHANNELS, 5, 5)), name


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("stride", [1, 2])
def test_operations(name: str, stride: int) -> None:
    operation = OPERATIONS[name]
    for out_channels, side in ((CHANNELS, 8), (8, 7)):
        shape = {"in_channels": CHANNELS, "out_channels": out_channels, "stride": stride}
        usual = {**shape, "activation": "relu", "norm": "batch"}
        made = build_layer(Layer(operation.module, {**usual, **operation.arguments}))
        if list(made.children()) or not isinstance(made, nn.Sequential):  # not an empty identity
            assert_written_rightly(made, (CHANNELS, side, side))


def drawn(name: str, scale: str) -> tuple[nn.Module, tuple[int, int, int]]:
    space, rng = load_space(name), np.random.default_rng(0)
    size = space.scales[scale]
    network = build(space.decode(space.sample(rng)), size, seed=0)
    return deployed(network), size.input_shape


WITH_NETWORKS = [name for name in known_spaces() if load_space(name).has_network]


@pytest.mark.parametrize("name", WITH_NETWORKS)
def test_designs_of_all_spaces(name: str) -> None:
    assert_written_rightly(*drawn(name, "proxy"))


def optimised(model: bytes, folder: Path) -> Counter[str]:
    """How often each operation is in what ONNX Runtime makes of a model."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(folder / "optimised.onnx").graph.node)


@pytest.mark.slow
def test_onnx_runtime_makes_the_same_of_it_as_of_what_torch_exports(tmp_path: Path) -> None:
    network, shape = drawn("nano", "proxy")
    ours, theirs = (
        optimised(export(network, shape, 1), tmp_path) for export in (onnx_graph, torch_onnx)
    )
    assert ours == theirs
    assert ours["Conv"] > 3


class OfWeights(nn.Module):
    """Does something to weights alone, which no image changes."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.linspace(-1, 1, 5))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        shares = torch.softmax(torch.cumsum(torch.relu(self.weights), 0), 0)
        return maps * shares


def test_what_is_done_to_weights_alone_is_a_constant() -> None:
    assert_written_rightly(OfWeights(), (1, 5, 5))
    model = onnx.load_from_string(onnx_graph(OfWeights(), (1, 5, 5), None))
    assert [node.op_type for node in model.graph.node] == ["Mul"]


class Mixing(nn.Module):
    """Takes two images at a time for one."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps.view(-1, 2, 5, 5).mean(1).relu()


class Summing(nn.Module):
    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return torch.cumsum(maps, 3)


@pytest.mark.parametrize("network", [Mixing(), Summing()])
def test_what_it_cannot_write_is_not_expressible(network: nn.Module) -> None:
    with pytest.raises(NotExpressible):
        onnx_graph(network, (2, 5, 5), None)


def test_a_trace_has_the_shapes_of_a_run_and_costs_no_memory() -> None:
    network, shape = drawn("nano", "full")
    assert trace(network, (3, *shape)).outputs[0].shape == network(torch.zeros(3, *shape)).shape
    # Running this batch would take gigabytes.
    assert trace(network, (100_000, *shape)).outputs[0].shape[0] == 100_000


@pytest.mark.parametrize(
    "head", [{"kind": "yolov3", "grid_sensitivity": [1.2, 1.1]}, {"kind": "yolov2", "anchors": 2}]
)
def test_heads_with_anchors(head: dict[str, Any]) -> None:
    """Their anchors are numbers of the file."""
    made = deployed(build(blueprint(detector(head=head)), Scale("full", 32, classes=3), seed=0))
    assert_written_rightly(made, (3, 32, 32), batch=1)
