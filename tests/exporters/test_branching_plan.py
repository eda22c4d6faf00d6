"""A network with two outputs, one of whose parts reads two earlier ones: through every form."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file

from evonas.exporters.agreement import onnx_agreement
from evonas.exporters.onnx import onnx_model
from evonas.exporters.source import network_source
from evonas.hardware.latency import Clock
from evonas.hardware.memory import peak_memory_bytes
from evonas.hardware.predictor import work_of
from evonas.models import Network, count, initialise
from evonas.models.count import count_layers, output_shapes
from evonas.networks.plan import Layer, Part, Plan
from evonas.settings import Settings

SHAPE = (3, 16, 16)


def conv(given: int, made: int, stride: int = 1) -> Layer:
    shape = {"in_channels": given, "out_channels": made, "kernel": 3, "stride": stride}
    return Layer("ConvNormActivation", {**shape, "activation": "relu"})


def joined(channels: int) -> Layer:
    """Both inputs, each through a convolution, added."""
    inputs = [Layer("Row", {"layers": [conv(channels, channels)]}) for _ in range(2)]
    node = {
        "operations": [Layer("Row", {"layers": []}), Layer("Row", {"layers": []})],
        "states": [0, 1],
        "combine": "add",
    }
    return Layer("Cell", {"inputs": inputs, "nodes": [Layer("Node", node)], "outputs": [2]})


# A map of eight channels that the second output reads too, and the first one's part once more.
PLAN = Plan(
    (
        Part("stem", (conv(3, 8, 2),)),
        Part("left", (conv(8, 8),), ("stem",)),
        Part("right", (conv(8, 8), conv(8, 8)), ("stem",)),
        Part("neck", (joined(8),), ("left", "right")),
        Part("small", (conv(8, 4, 2),), ("neck",)),
    ),
    SHAPE,
    ("neck", "small"),
)


@pytest.fixture(scope="module")
def network() -> Network:
    network = Network(PLAN)
    initialise(network, seed=0)
    return network.eval()


def images(number: int = 2) -> torch.Tensor:
    return torch.randn(number, *SHAPE, generator=torch.Generator().manual_seed(1))


def test_both_outputs_come_out_in_their_order(network: Network) -> None:
    neck, small = network(images())
    assert [tuple(out.shape[1:]) for out in (neck, small)] == output_shapes(PLAN)
    assert output_shapes(PLAN) == [(8, 8, 8), (4, 4, 4)]
    left, right = (network.get_submodule(name) for name in ("left", "right"))
    stem = network.get_submodule("stem")(images())
    torch.testing.assert_close(neck, network.get_submodule("neck")(left(stem), right(stem)))


def test_it_is_counted_as_it_is_built(network: Network) -> None:
    counted = count(PLAN)
    assert counted.parameters == sum(weights.numel() for weights in network.parameters())
    per_pixel = 3 * 8 + 5 * 8 * 8  # stem, left, right twice, and two in the neck, at 8x8
    assert counted.macs == 9 * (per_pixel * 64 + 8 * 4 * 16)
    fields = {row.name: row.maps.receptive_field_px for row in count_layers(PLAN)}
    assert fields == {"stem": 3, "left": 7, "right.0": 7, "right.1": 11, "neck": 15, "small": 19}


def test_a_map_lives_until_its_last_reader_and_outputs_to_the_end() -> None:
    weights = 4 * sum(tensor.numel() for tensor in Network(PLAN).state_dict().values())
    # The widest moment: right's second convolution reads and writes a map, left's is kept.
    assert peak_memory_bytes(PLAN) - weights == 4 * 3 * 8 * 8 * 8


def test_it_is_measured_and_its_work_is_known(network: Network) -> None:
    clock = Clock(Settings().latency, reference_ms=1.0)
    assert clock.measure_network(network, SHAPE).ms > 0
    assert work_of(PLAN).operations.total() >= 7


@pytest.mark.parametrize("batch", [1, None])
def test_its_onnx_form_has_both_outputs_by_name_and_agrees(
    network: Network, batch: int | None
) -> None:
    model = onnx_model(network, SHAPE, batch)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["neck", "small"]
    assert onnx_agreement(network, model, images(batch or 3)).difference < 1e-4
    found = session.run(["small"], {"images": images(batch or 3).numpy()})[0]
    np.testing.assert_allclose(found, network(images(batch or 3))[1].detach(), atol=1e-5)


def test_its_source_loads_without_evonas(network: Network, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(network_source(PLAN, "Two outputs"))
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    torch.save(network(images()), tmp_path / "expected.pt")
    program = (
        "import sys; sys.modules['evonas'] = None\n"
        "import torch, model\n"
        "network = model.load()\n"
        "images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))\n"
        "expected = torch.load('expected.pt', weights_only=True)\n"
        "assert network.outputs == ('neck', 'small')\n"
        "for got, wanted in zip(network(images), expected, strict=True):\n"
        "    torch.testing.assert_close(got, wanted)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
