import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import a_network, a_stage
from safetensors.torch import load_file

from evonas.blueprint import Blueprint
from evonas.compression.packing.integers import Integers
from evonas.compression.packing.pack import pack, unpack
from evonas.compression.packing.packer import nibbles
from evonas.compression.packing.product import Product
from evonas.exporters.packed_weights import load_packed, whole_numbers
from evonas.exporters.source import network_source
from evonas.models import build
from evonas.networks import Scale

SCALE = Scale("proxy", 16)
PACKERS = {"int8": Integers(8), "int4": Integers(4, 32), "pq": Product(8, 16, seed=0)}
LOADER = """
import sys
sys.modules["evonas"] = None  # whoever imports it fails
from pathlib import Path
import model
from safetensors.torch import save_file
network, found = model.Network(), {}
for name in sys.argv[1:]:
    network.load_state_dict(model.load_packed(Path(name)))
    found[name] = network.eval()(model.example_input())
save_file(found, "logits.safetensors")
"""


def test_exported_source_alone_reads_packed_weights_and_gives_the_same(
    working_folder: Path,
) -> None:
    blueprint = Blueprint(a_network(a_stage(channels=64, layers=2)))
    network = build(blueprint, SCALE, seed=0).eval()
    contents = {name: pack(network.state_dict(), packer) for name, packer in PACKERS.items()}
    for name, content in contents.items():
        (working_folder / name).write_bytes(content)
    (working_folder / "model.py").write_text(network_source(network.plan, "A title", [load_packed]))
    subprocess.run([sys.executable, "-c", LOADER, *PACKERS], check=True, cwd=working_folder)
    logits = load_file("logits.safetensors")
    example = torch.linspace(-1, 1, 3 * 16 * 16).reshape(1, *SCALE.input_shape)
    for name, content in contents.items():
        network.load_state_dict(unpack(content))
        assert torch.equal(logits[name], network(example))


def test_source_has_the_loader_only_if_it_is_asked_for() -> None:
    plan = build(Blueprint(a_network()), SCALE, seed=0).plan
    assert "load_packed" not in network_source(plan, "A title")


def test_a_file_and_its_bytes_hold_the_same(working_folder: Path) -> None:
    content = pack({"a.weight": torch.randn(4, 3), "a.bias": torch.ones(4)}, Integers(4))
    (working_folder / "packed.safetensors").write_bytes(content)
    found, wanted = load_packed(working_folder / "packed.safetensors"), unpack(content)
    assert list(found) == list(wanted) == ["a.bias", "a.weight"]
    assert all(torch.equal(found[name], wanted[name]) for name in found)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_two_numbers_lie_in_a_byte(count: int) -> None:
    numbers = torch.randint(0, 16, (count,), generator=torch.Generator().manual_seed(0))
    stored = nibbles(numbers)
    assert len(stored) == (count + 1) // 2
    assert torch.equal(whole_numbers(stored, 4, count), numbers)
