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

TYPED = """
import json, sys
from conftest import typed

if __name__ == "__main__":
    done = [typed(*words) for words in json.loads(sys.argv[1])]
    print(json.dumps([[d.args, d.returncode, d.stdout, d.stderr] for d in done]))
"""
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
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package in which the task is a folder and a line, and its reader likewise."""
    tree = tmp_path_factory.mktemp("tree")  # a typed command forgets modules of its own folder
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


def typed_in(tree: Path, *commands: list[str]) -> list[subprocess.CompletedProcess[str]]:
    """What each of the commands does with the tree's evonas, all in one other process."""
    paths = os.pathsep.join(map(str, (tree, REPOSITORY / "tests")))
    environment = {**os.environ, "PYTHONPATH": paths}
    call = [sys.executable, "-c", TYPED, json.dumps(commands)]
    done = subprocess.run(call, capture_output=True, text=True, env=environment, timeout=900)
    assert done.returncode == 0, done.stderr
    return [subprocess.CompletedProcess(*values) for values in json.loads(done.stdout)]


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
    shown = pictures(Path("pictures"))
    unknown, unweighed, started, resumed, exported, retrained, other, predicted, listed = typed_in(
        tree,
        ["search", *WORDS, "objectives=accuracy,macs"],
        ["search", *WORDS, "data.class_weights=balanced"],
        ["search", *WORDS],
        ["resume", "several", "budget.evaluations=+1", "--json"],
        ["export", "several", "--to", "model", "--pick", "best", "--scale", "proxy"],
        ["retrain", "model", "training.epochs=20", "--json"],
        ["retrain", "model", "data=digits"],
        ["predict", "model", "pictures", "--json"],
        ["predict", "model", "pictures", "--csv", "out.csv"],
    )
    for done in (started, resumed, exported, retrained, predicted, listed):
        assert done.returncode == 0, done.stderr
    for done in (unknown, unweighed, other):
        assert done.returncode == 2, done.stderr
    assert "data=bars is for several_labels, which has no accuracy" in unknown.stderr
    assert "no meaning in several_labels" in unweighed.stderr
    assert "is for classification" in other.stderr

    run = json.loads(resumed.stdout)
    assert run["counts"]["complete"] == 3
    assert [objective["name"] for objective in run["objectives"]] == ["f1", "latency_ms"]
    assert all(0 <= design["measures"]["f1"] <= 1 for design in run["front"])
    assert "task: several_labels" in Path("model/recipe.yaml").read_text()
    score = json.loads(retrained.stdout)["test_f1"]
    assert score > 0.9
    assert f"**Test F1 {score:.4f}** on" in Path("model/README.md").read_text()

    found = {Path(row["image"]).name: row for row in json.loads(predicted.stdout)}
    assert found["wide.png"]["side_px"] == 32  # letterbox: the whole picture
    assert sum(found[name]["labels"] == labels for name, labels in shown.items()) >= 7
    assert Path("out.csv").read_text().splitlines()[0] == "image,labels"
