"""A checkpoint of another program begins a search and teaches it."""

from pathlib import Path

import pytest
import torch
import yaml
from conftest import typed

from evonas.models import build
from evonas.presets import preset
from evonas.presets.resizing import sized
from evonas.runs import load_run

CLASSES = 10
DATA = ["data=synthetic", f"data.synthetic.classes={CLASSES}", "data.synthetic.images=100"]
SEARCH = ["executor=inline", "training.epochs=1", "budget.evaluations=1", "display=plain"]
SEARCH += ["objectives=accuracy,macs", "space=./like_it.yaml", "run.name=begun"]
NAME = "mobilenet_v1_025"


def checkpoint() -> torch.nn.Module:
    """Writes that of another program, whose layers have numbers for names."""
    chosen = sized(preset(NAME), classes=CLASSES)
    network = build(chosen.blueprint, chosen.scale, seed=4)
    layers: dict[str, str] = {}
    state = {}
    for name, tensor in network.state_dict().items():
        layer, _, own = name.rpartition(".")
        state[f"net.{layers.setdefault(layer, str(len(layers)))}.{own}"] = tensor
    torch.save({"epoch": 90, "model": state}, "theirs.pth")
    return network


def space() -> None:
    """Networks of the same weights, with one activation or another."""
    found = preset(NAME)
    network = {**found.blueprint.network, "activation": {"choice": ["relu6", "relu"]}}
    size = {"resolution_px": 32, "width": found.scale.width}
    Path("like_it.yaml").write_text(
        yaml.safe_dump({"scales": {"proxy": size, "full": size}, "network": network})
    )


@pytest.mark.slow
def test_a_checkpoint_begins_a_search_and_teaches_it() -> None:
    network = checkpoint()
    space()
    call = typed(
        *("weights", "theirs.pth", "--preset", NAME, "--classes", str(CLASSES)),
        *("--to", "ours.safetensors"),
    )
    assert call.returncode == 0, call.stderr
    statistics = ["--mean", "0.5,0.5,0.5", "--deviation", "0.2,0.2,0.2"]
    words = ["--preset", NAME, "--input", "3x32x32", "--classes", str(CLASSES), *statistics]
    call = typed("export", *words, "--weights", "theirs.pth", "--to", "teacher")
    assert call.returncode == 0, call.stderr
    taught = ["compression.distillation.method=logits", "compression.distillation.teacher=teacher"]
    found = typed("search", *SEARCH, *DATA, *taught, "training.weights=ours.safetensors")
    assert found.returncode == 0, found.stderr
    said = found.stdout + found.stderr
    assert f"{len(network.state_dict())} tensors taken" in said
    _, outcome = load_run(Path("runs/begun")).pair(0)
    assert Path(str(outcome.details["taught_by"])).name == "teacher"
