"""Computing in 8 bits in torch and in ONNX Runtime: the same numbers, by kernels of 8 bits."""

from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import numpy_helper
from small_networks import SETTINGS, SHAPE, both, drawn, images, optimised, seasoned
from torch import nn

from evonas.compression.int8 import quantised as module
from evonas.compression.int8.quantised import quantised
from evonas.errors import BuildError
from evonas.exporters.agreement import outputs_of, share_within_a_quantum
from evonas.exporters.onnx import onnx_model
from evonas.exporters.onnx_network import OnnxNetwork
from evonas.models import deployed
from evonas.models.activations import ACTIVATIONS
from evonas.models.layers import SqueezeExcite
from evonas.space import known_spaces, load_space

CHANNELS = 16


def activated(name: str) -> nn.Module:
    """Convolutions with norms and an activation behind each."""
    layers: list[nn.Module] = []
    for channels in (SHAPE[0], CHANNELS):
        convolution = nn.Conv2d(channels, CHANNELS, 3, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(CHANNELS), ACTIVATIONS[name](CHANNELS)]
    return nn.Sequential(*layers, nn.Conv2d(CHANNELS, 4, 1))


class Residual(nn.Module):
    """A sum of what was convolved and what was not, and maps of both beside each other."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Conv2d(SHAPE[0], CHANNELS, 3, padding=1)
        self.branch = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, groups=CHANNELS)
        self.after = nn.Conv2d(2 * CHANNELS, 4, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        maps = self.before(maps).relu()
        added = (maps + self.branch(maps)).relu()
        return self.after(torch.cat([nn.functional.max_pool2d(added, 3, 1, 1), maps], 1))


def gated(gate: str) -> nn.Module:
    reduced = nn.Conv2d(SHAPE[0], CHANNELS, 3, 2, 1)
    attention = SqueezeExcite(CHANNELS, 4, "relu", gate)
    return nn.Sequential(reduced, nn.Hardswish(), attention, nn.Conv2d(CHANNELS, 4, 1))


def flat() -> nn.Module:
    hidden = nn.Linear(SHAPE[0] * 36, 20)
    first = nn.Conv2d(SHAPE[0], SHAPE[0], 3, padding=1)
    ends = (nn.Flatten(), hidden, nn.BatchNorm1d(20), nn.ReLU(), nn.Linear(20, 10))
    return nn.Sequential(first, nn.ReLU(), nn.AvgPool2d(2), *ends)


SMALL = {
    **{name: activated(name) for name in ACTIVATIONS},
    "residual": Residual(),
    "gate": gated("sigmoid"),
    "hard gate": gated("hard_sigmoid"),
    "flat": flat(),
}


@pytest.mark.parametrize("name", SMALL)
def test_onnx_runtime_gives_what_torch_gives_to_one_quantum(name: str) -> None:
    made, run = both(seasoned(SMALL[name]))
    assert share_within_a_quantum(made, run, images(32)) > 0.99
    plain, whole = (outputs_of(each, images(32))[0] for each in (SMALL[name], made))
    assert not torch.equal(plain, whole)
    assert float((plain - whole).abs().mean()) < 0.01 * float(plain.max() - plain.min())


IN_BETWEEN = {"Transpose", "Reshape", "NhwcMaxPool", "QuantizeLinear", "DequantizeLinear"}
WITHOUT_KERNEL = ("prelu", "elu", "selu", "mish")  # ONNX Runtime has none of 8 bits for these


@pytest.mark.parametrize("name", [name for name in SMALL if name not in WITHOUT_KERNEL])
def test_all_between_images_and_outputs_is_computed_by_kernels_of_8_bits(
    name: str, tmp_path: Path
) -> None:
    made = quantised(seasoned(SMALL[name]), images(8), SETTINGS)
    found = optimised(onnx_model(made, SHAPE), tmp_path)
    others = {kind for kind in found if not kind.startswith("Q")} - IN_BETWEEN
    assert not others
    assert found["QuantizeLinear"] <= 1  # images
    assert found["QLinearConv"] == sum(isinstance(m, nn.Conv2d) for m in SMALL[name].modules())


SLOW = ("conv_zoo", "dense_stages", "residual_stages")  # their designs have hundreds of layers


def spaces() -> list[Any]:
    names = [name for name in known_spaces() if load_space(name).has_network]
    marks = {name: [pytest.mark.slow] if name in SLOW else [] for name in names}
    return [pytest.param(name, marks=marks[name]) for name in names]


@pytest.mark.parametrize("name", spaces())
def test_designs_of_all_spaces_are_computed_in_8_bits(name: str, tmp_path: Path) -> None:
    network, shape = drawn(name, seed=2)
    made = deployed(quantised(network, images(4, shape), SETTINGS))
    model = onnx_model(made, shape, 1)
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    found = optimised(model, tmp_path)
    assert found["QLinearConv"] > 0
    assert found["Conv"] <= 1  # the first layer
    kinds = [numpy_helper.to_array(each) for each in onnx.load_from_string(model).graph.initializer]
    assert sum(each.size for each in kinds if each.dtype == "int8") > 0.8 * sum(
        each.size for each in kinds
    )


def test_a_network_can_be_trained_as_it_will_be_computed() -> None:
    made = quantised(seasoned(Residual()), images(8), SETTINGS)
    optimiser = torch.optim.SGD(made.parameters(), lr=0.01)
    targets = torch.zeros(8, 4, 12, 12)
    losses = []
    for _ in range(5):
        loss = (made(images(8)) - targets).square().mean()
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        assert all(weight.grad is not None for weight in made.parameters())
        optimiser.step()
    assert losses[-1] < 0.9 * losses[0]
    run = OnnxNetwork(onnx_model(made, SHAPE, None))
    assert share_within_a_quantum(made.eval(), run, images(8)) > 0.99


class Silent(nn.Module):
    """Some outputs have no weights, as of a channel whose norm is shut, but a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(SHAPE[0], 8, 3), nn.Conv2d(8, 4, 1))
        with torch.no_grad():
            self.layers[0].weight[:4] = 1e-30
            self.layers[0].bias[:4] = 5.0

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(maps)
        return out


def test_a_bias_without_weights_is_not_lost() -> None:
    made, run = both(Silent().eval())
    assert share_within_a_quantum(made, run, images(8)) > 0.99
    wanted = outputs_of(Silent().eval(), images(8))[0].shape
    assert outputs_of(run, images(8))[0].shape == wanted


def largest_weight(model: bytes) -> int:
    found = [numpy_helper.to_array(each) for each in onnx.load_from_string(model).graph.initializer]
    return max(int(abs(each.astype(int)).max()) for each in found if each.dtype == "int8")


def test_weights_have_7_bits_where_the_processor_sums_in_16(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for products, largest in (("avx512_vnni", 127), (None, 63)):
        monkeypatch.setattr(module, "products_of_8_bits", lambda name=products: name)
        made = quantised(seasoned(Residual()), images(8), SETTINGS)
        assert largest_weight(onnx_model(made, SHAPE)) == largest


class Strange(nn.Module):
    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps.cumsum(1)


def test_what_cannot_be_computed_in_8_bits_is_refused_with_its_reason() -> None:
    with pytest.raises(BuildError, match="no convolution and no linear layer"):
        quantised(nn.ReLU(), images(2), SETTINGS)
    odd = nn.Sequential(Residual(), Strange())
    with pytest.raises(BuildError, match="no ONNX form of cumsum"):
        quantised(odd, images(2), SETTINGS)
