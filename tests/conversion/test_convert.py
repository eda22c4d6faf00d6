"""Weights of another program become a file with which trainings begin, and a command does it."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
from conftest import typed

from evonas.conversion.conversion import without_weights
from evonas.conversion.darknet_order import sections
from evonas.models import build
from evonas.presets import preset
from evonas.settings import TrainingSettings
from evonas.training.transfer import prepare

NAME = (
    "darknet19_448.conv.23"  # Darknet's for all but the last convolution, with which YOLOv2 begins
)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    order = sections(without_weights(preset("darknet19")))[:-1]
    numbers = np.full(sum(section.numbers for section in order), 0.5, "<f4")
    file = tmp_path_factory.mktemp("darknet") / NAME
    file.write_bytes(struct.pack("<3iI", 0, 1, 0, 80_000_000) + numbers.tobytes())
    return file


def test_a_training_begins_with_what_was_written(backbone: Path, working_folder: Path) -> None:
    call = typed("weights", str(backbone), "--preset", "darknet19", "--to", "made/b.safetensors")
    assert (call.returncode, call.stderr) == (0, "")
    assert call.stdout == (
        f"{backbone} (Darknet 0.1.0, darknet19.cfg, after 80,000,000 images): 19,831,776 numbers "
        "are 18 of 19 layers of darknet19 with 1000 classes.\n"
        "The file ends there. A training draws 2 tensors anew: head.0.0.bias, head.0.0.weight.\n"
        "108 tensors written to made/b.safetensors. Begin with them by "
        "training.weights=made/b.safetensors\n"
    )
    network = build(preset("darknet19").blueprint, preset("darknet19").scale, seed=0)
    found = prepare(network, TrainingSettings(weights=Path("made/b.safetensors")))
    assert found.fresh == ("head.0.0.weight", "head.0.0.bias")
    assert (network.get_parameter("layer_6.4.0.weight") == 0.5).all()


def test_json_says_what_was_read(backbone: Path, working_folder: Path) -> None:
    words = ("--preset", "darknet19", "--classes", "5", "--to", "b.safetensors", "--json")
    told = json.loads(typed("weights", str(backbone), *words).stdout)
    tensors = safetensors.torch.load_file("b.safetensors")
    assert told == {
        "file": str(backbone),
        "origin": "Darknet 0.1.0, darknet19.cfg",
        "images_seen": 80_000_000,
        "preset": "darknet19",
        "classes": 5,
        "numbers": 19_831_776,
        "layers_read": 18,
        "layers": 19,
        "tensors": len(tensors),
        "missing": ["head.0.0.bias", "head.0.0.weight"],
        "left_out": [],
        "alike": 0,
        "proof": None,
        "written": "b.safetensors",
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--preset", "darknet91", "--to", "b.safetensors"), 'Did you mean "darknet19"?'),
        (("--preset", "darknet19", "--to", "b.pt"), "--to b.pt: write a name that ends in"),
        (("--preset", "darknet19", "--to", "there.safetensors"), "this file is there already"),
        (("--preset", "darknet53", "--to", "b.safetensors"), "a part of --preset darknet19"),
    ],
)
def test_a_mistake_is_told_and_nothing_written(
    words: tuple[str, ...], told: str, backbone: Path, working_folder: Path
) -> None:
    Path("there.safetensors").write_text("kept")
    call = typed("weights", str(backbone), *words)
    assert call.returncode == 2
    assert told in call.stderr
    assert "Traceback" not in call.stderr
    assert [path.name for path in working_folder.iterdir()] == ["there.safetensors"]
    assert Path("there.safetensors").read_text() == "kept"


def test_a_file_that_cannot_be_read_is_told(working_folder: Path) -> None:
    for name in ("missing.weights", "."):
        call = typed("weights", name, "--preset", "darknet19", "--to", "b.safetensors")
        assert call.returncode == 2
        assert call.stderr.startswith(f"{name} cannot be read: ")
