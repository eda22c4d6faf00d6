from itertools import cycle
from typing import Any

import numpy as np
import pytest
import torch
from conftest import a_network, a_stage
from safetensors.torch import load

from evonas.blueprint import Blueprint, plan_network, scaled_network
from evonas.compression.packing.pack import pack, packed, packed_bytes, packer, unpack
from evonas.compression.step import Compressed, StepKit
from evonas.exporters.agreement import outputs_of
from evonas.models import Network, build, deployed
from evonas.networks import Scale
from evonas.settings import CompressionSettings, TrainingSettings
from evonas.settings.compression import QuantisationSettings
from evonas.space import known_spaces, load_space

WAYS: dict[str, dict[str, Any]] = {
    "int8": {"method": "weights"},
    "int4": {"method": "weights", "bits": 4},
    "int4_of_groups": {"method": "weights", "bits": 4, "group": 32},
    "pq": {"method": "pq", "block": 4, "codewords": 16},
}
each = pytest.mark.parametrize("way", WAYS)
SCALE = Scale("proxy", 16)
BLOCKS = [
    a_stage(operation="inverted_residual", expansion=3, se_ratio=0.25, layers=2),
    a_stage(channels=64, activation="prelu"),
]


def asked(way: str) -> QuantisationSettings:
    return QuantisationSettings(**WAYS[way])


def trained() -> Network:
    """A network whose statistics, counts and weights are not the first ones."""
    network = build(Blueprint(a_network(*BLOCKS)), SCALE, seed=0)
    network(torch.randn(8, *SCALE.input_shape, generator=torch.Generator().manual_seed(1)))
    return network.eval()


def tensors_in(content: bytes) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in load(content).values())


@pytest.mark.parametrize(("space_name", "way"), [*zip(known_spaces(), cycle(WAYS))])
def test_the_plan_alone_tells_the_bytes_of_all_tensors_in_the_file(
    space_name: str, way: str
) -> None:
    space = load_space(space_name)
    blueprint = space.decode(space.sample(np.random.default_rng(2)))
    plan = plan_network(blueprint, space.scales["proxy"])
    content = pack(Network(plan.as_deployed()).state_dict(), packer(asked(way)))
    assert packed_bytes(plan, asked(way)) == tensors_in(content)


@each
def test_what_comes_out_of_the_file_makes_a_network_of_nearly_the_same_outputs(way: str) -> None:
    network = trained()
    images = torch.randn(8, *SCALE.input_shape, generator=torch.Generator().manual_seed(2))
    wanted = network(images)
    content = pack(network.state_dict(), packer(asked(way)))
    network.load_state_dict(unpack(content))
    error = (network(images) - wanted).norm() / wanted.norm()
    assert 0 < error < {"int8": 0.02, "int4": 0.4, "int4_of_groups": 0.4}.get(way, 2)
    assert pack(network.state_dict(), packer(asked(way))) == content or way == "pq"


@each
def test_one_seed_gives_one_file(way: str) -> None:
    state = trained().state_dict()
    assert pack(state, packer(asked(way), 5)) == pack(state, packer(asked(way), 5))


def test_sizes_are_those_of_bits_and_not_of_promises() -> None:
    plan = trained().plan
    weights = sum(t.numel() for t in Network(plan).state_dict().values() if t.dim() > 1)
    others = packed_bytes(plan, asked("int8")) - weights
    assert packed_bytes(plan, asked("int4")) - others == pytest.approx(weights / 2, abs=10)
    assert packed_bytes(plan, asked("int4_of_groups")) > packed_bytes(plan, asked("int4"))


def test_norms_and_biases_are_rounded_to_16_bits_and_stay_finite() -> None:
    network = trained()
    state = network.state_dict()
    name = next(name for name in state if name.endswith("running_var"))
    state[name].fill_(1e6)
    found = unpack(pack(state, packer(asked("int4"))))
    assert set(found) == {key for key, value in state.items() if value.is_floating_point()}
    assert torch.equal(found[name], torch.full_like(found[name], 65504.0))
    for key, value in found.items():
        assert value.dtype == torch.float32
        if value.dim() < 2 and key != name:
            torch.testing.assert_close(value, state[key], rtol=2**-11, atol=1e-7)


def kit(way: str) -> StepKit:
    settings: Any = CompressionSettings(quantisation=asked(way))
    nothing: Any = None
    section = scaled_network(Blueprint(a_network(*BLOCKS)), SCALE)
    device = torch.device("cpu")
    return StepKit(settings, TrainingSettings(), section, nothing, nothing, seed=3, device=device)


def test_what_is_scored_is_what_is_shipped_and_the_trained_network_stays_as_it_was() -> None:
    network = trained()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    made = packed(Compressed(kit("int4").section, network), kit("int4"))
    assert made.packed is not None
    assert made.deployed is made.network
    shipped = unpack(made.packed)
    state = made.network.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in shipped.items())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert not made.network.training


def test_of_a_detector_what_is_deployed_is_packed() -> None:
    space = load_space("detector")
    blueprint = space.decode(space.sample(np.random.default_rng(0)))
    network = build(blueprint, space.scales["proxy"], seed=0).eval()
    made = packed(Compressed(kit("int8").section, network), kit("int8"))
    images = torch.randn(1, *network.plan.input_shape, generator=torch.Generator().manual_seed(0))
    pairs = zip(
        outputs_of(deployed(made.network), images),
        outputs_of(deployed(network), images),
        strict=True,
    )
    assert outputs_of(made.network, images)[2].shape == outputs_of(network, images)[2].shape
    for found, wanted in pairs:
        assert (found - wanted).norm() / wanted.norm() < 0.05
    assert tensors_in(made.packed or b"") == packed_bytes(network.plan, asked("int8"))
