"""A training of heads with anchors: it goes on after a stop, and its log tells what it sees."""

import csv
import math
from pathlib import Path

import pytest
import torch
from detectors import blueprint, detector

from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.models import Network, build
from evonas.networks import Scale
from evonas.settings import DataSettings, TrainingSettings
from evonas.tasks import TASKS
from evonas.training import train
from evonas.training.job import begin

TASK = TASKS["detection"]
SIDE = 32


@pytest.fixture(scope="module")
def shapes() -> Dataset:
    values = {"name": "shapes", "shapes": {"images": 40, "classes": 2, "resolution_px": SIDE}}
    return load_data(DataSettings.model_validate(values), SIDE)


def begun(head: str, data: Dataset, recipe: TrainingSettings) -> Network:
    section = detector(head={"kind": head, "settling": 5} if head == "yolov2" else {"kind": head})
    classes = len(data.problem.classes)
    network = build(blueprint(section), Scale("proxy", SIDE, classes=classes), seed=0)
    begin(network, recipe, 0, None)
    TASK.adapt(network, data.train.targets, recipe)
    return network


@pytest.mark.parametrize("head", ["yolov3", "yolov2"])
def test_it_goes_on_after_a_stop_and_tells_the_running_recall(
    head: str, shapes: Dataset, tmp_path: Path
) -> None:
    recipe = TrainingSettings(epochs=2, batch_size=8, ema=0.9, log=("csv",))
    whole, parted = (begun(head, shapes, recipe) for _ in range(2))
    own = (shapes.train, shapes.problem, recipe, 3)
    train(whole, *own, log_folder=tmp_path)
    progress = train(parted, *own, until=1)
    state = {name: tensor.clone() for name, tensor in parted.state_dict().items()}
    again = begun(head, shapes, recipe)  # another process
    again.load_state_dict(state)
    train(again, *own, progress=progress)
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor, rtol=0, atol=0)
    rows = [*csv.DictReader((tmp_path / "training.csv").read_text().splitlines())]
    assert all(0 <= float(row["recall"]) <= 1 for row in rows)
    assert all(math.isfinite(float(row["loss"])) for row in rows)
    assert TASK.adapted(recipe, whole).anchors == TASK.adapted(recipe, again).anchors
