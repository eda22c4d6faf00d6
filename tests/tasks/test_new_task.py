"""A task is a folder and a line: one that evonas does not have goes the whole way."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY
from PIL import Image
from several_labels.bars import CLASSES, drawn

MAIN = "from evonas.cli import main; main()"
FIXTURE = Path(__file__).with_name("several_labels")
WORDS = [
    "space=nano",
    "data=bars",
    "training.epochs=4",
    "training.mixup=0.2",
    "constraints.grad_norm.min=0",
    "executor=local",
    "executor.workers=2",
    "budget.evaluations=2",
    "run.name=several",
    "display=plain",
]


@pytest.fixture
def tree(working_folder: Path) -> Path:
    """A copy of the package in which the task is a folder and a line, and its reader likewise."""
    tree = working_folder / "tree"
    for folder in ("evonas", "search_spaces"):
        shutil.copytree(REPOSITORY / folder, tree / folder)
    shutil.copytree(FIXTURE, tree / "evonas/tasks/several_labels")
    shutil.move(tree / "evonas/tasks/several_labels/bars.py", tree / "evonas/data/bars.py")
    add_line(
        tree / "evonas/tasks/__init__.py",
        "from evonas.tasks.several_labels import SeveralLabels",
        '    "classification": Classification(),\n',
        '    "several_labels": SeveralLabels(),\n',
    )
    add_line(
        tree / "evonas/data/readers.py",
        "from evonas.data.bars import read_bars",
        "DATA_SETS: Mapping[str, Reader] = {\n",
        '    "bars": Reader(read_bars, "bars and corners", task="several_labels"),\n',
    )
    return tree


def add_line(file: Path, imported: str, after: str, line: str) -> None:
    text = file.read_text()
    assert after in text
    head, _, rest = text.partition("from evonas.")
    file.write_text(f"{head}{imported}\nfrom evonas.{rest}".replace(after, after + line))


def evonas_of(tree: Path, *words: str, code: int = 0) -> str:
    """What the command prints: one JSON document; of one that is refused, its message."""
    call = [sys.executable, "-c", MAIN, *words, "--json"]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    result = subprocess.run(call, capture_output=True, text=True, env=environment, timeout=600)
    assert result.returncode == code, result.stderr
    return result.stderr if code else result.stdout


def pictures(folder: Path) -> dict[str, str]:
    """Image files with the labels that they show; one is not square."""
    labels = (np.arange(8)[:, None] >> np.arange(3) & 1).astype(np.float32)
    images = drawn(labels, 16, np.random.default_rng(1))[:, 0]
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number}.png")
    Image.new("L", (32, 8), 30).save(folder / "wide.png")
    names = ["+".join(np.array(CLASSES)[row > 0]) for row in labels]
    return {f"{number}.png": name for number, name in enumerate(names)}


@pytest.mark.slow
def test_a_third_task_is_searched_resumed_exported_retrained_and_used(tree: Path) -> None:
    refused = evonas_of(tree, "search", *WORDS, "objectives=accuracy,macs", code=2)
    assert "data=bars is for several_labels, which has no accuracy" in refused
    assert "no meaning in several_labels" in evonas_of(
        tree, "search", *WORDS, "data.class_weights=balanced", code=2
    )
    evonas_of(tree, "search", *WORDS)
    run = json.loads(evonas_of(tree, "resume", "several", "budget.evaluations=+1"))
    assert run["counts"]["complete"] == 3
    assert [own["name"] for own in run["objectives"]] == ["f1", "latency_ms"]
    assert all(0 <= design["measures"]["f1"] <= 1 for design in run["front"])
    evonas_of(tree, "export", "several", "--to", "model", "--pick", "best", "--scale", "proxy")
    assert "The F1 below is on validation images" in Path("model/README.md").read_text()
    assert "task: several_labels" in Path("model/recipe.yaml").read_text()
    result = json.loads(evonas_of(tree, "retrain", "model", "training.epochs=20"))
    assert result["test_f1"] > 0.9
    assert f"**Test F1 {result['test_f1']:.4f}** on" in Path("model/README.md").read_text()
    shown = pictures(Path("pictures"))
    predicted = json.loads(evonas_of(tree, "predict", "model", "pictures"))
    found = {Path(own["image"]).name: own for own in predicted}
    assert found["wide.png"]["side_px"] == 32  # letterbox: the whole picture
    assert sum(found[name]["labels"] == labels for name, labels in shown.items()) >= 7
    evonas_of(tree, "predict", "model", "pictures", "--csv", "out.csv")
    assert Path("out.csv").read_text().splitlines()[0] == "image,labels"
    assert "is for classification" in evonas_of(tree, "retrain", "model", "data=digits", code=2)
