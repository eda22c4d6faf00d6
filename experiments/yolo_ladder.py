"""Which published steps of one-stage detectors hold for small networks trained from nothing.

YOLOv3 plainly, with the training heuristics of arXiv 1902.04103, with adaptive fusion besides
(arXiv 1911.09516); YOLOv4 with what its paper trains by; SSD; and YOLOv3's backbone with the usual
neck and head of the space `detector`. All are as wide as `--width` says, and are trained for the
same processor seconds, by the usual optimiser, from `--seeds` seeds. Of the learning rates of
`--rates` each rung has the one that was best on the validation images, from the first seed.
`latency_ms` is of the deployed network with decoding, in ONNX Runtime on one thread; scores are of
the test images.
"""

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from record import parser, report
from trainings import FRESH, side_by_side

from evonas.blueprint import Blueprint, plan_network
from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.errors import TrialFailure
from evonas.exporters.onnx import onnx_model
from evonas.hardware.latency import Clock, reference_ms
from evonas.models import build, count, deployed
from evonas.presets import preset
from evonas.settings import DataSettings, LatencySettings, TrainingSettings, validate
from evonas.space import Scale
from evonas.tasks import TASKS
from evonas.training import evaluate, train
from evonas.training.job import begin

TRIED_EPOCHS = 1
SCORES = ("map50", "map50_95")
PLAIN: Mapping[str, Any] = {"schedule": "constant", "warmup_epochs": 0.0}
HEURISTICS: Mapping[str, Any] = {
    "schedule": "cosine",
    "warmup_epochs": 2.0,
    "mixup": 0.5,
    "mixup_alpha": 1.5,
    "label_smoothing": 0.01,
    **{"crop": 0.5, "expand": 0.3, "interpolate": 0.3, "fliplr": 0.5},
    **{"hsv_h": 0.015, "hsv_s": 0.4, "hsv_v": 0.2},
}
OF_YOLOV4: Mapping[str, Any] = {
    "schedule": "cosine",
    "warmup_epochs": 2.0,
    "mosaic": 0.5,
    "label_smoothing": 0.01,
    **{"scale": 0.25, "fliplr": 0.5, "hsv_h": 0.015, "hsv_s": 0.4, "hsv_v": 0.2},
}
# Fewer of its coarse levels: at 128 px four of them have no room.
OF_SSD = {"neck": {"kind": "extras", "width": 512, "depth": 2, "l2_norm": True}}
USUAL = {"neck": {"kind": "pan", "width": 256, "depth": 1}, "head": {"depth": 1}}
RUNGS: Mapping[str, tuple[str, Mapping[str, Any], Mapping[str, Any]]] = {
    "YOLOv3": ("yolov3_voc", {}, PLAIN),
    "YOLOv3 + heuristics": ("yolov3_voc", {}, HEURISTICS),
    "YOLOv3 + heuristics + ASFF": ("yolov3_asff", {}, HEURISTICS),
    "YOLOv4": ("yolov4_coco", {}, {**OF_YOLOV4, "anchor_iou": 0.213}),
    "SSD": ("ssd300_vgg16_voc", OF_SSD, HEURISTICS),
    "anchor-free": ("yolov3_voc", USUAL, HEURISTICS),
}


@dataclass(frozen=True)
class Job:
    """A training of a rung."""

    rung: str
    seed: int
    rate: float
    data: DataSettings
    resolution_px: int
    width: float
    seconds: float

    @property
    def dataset(self) -> Dataset:
        """The images."""
        return load_data(self.data, self.resolution_px)

    @property
    def design(self) -> Blueprint:
        """The network at its published width."""
        name, changes, _ = RUNGS[self.rung]
        return Blueprint({**preset(name).blueprint.network, **changes})

    @property
    def scale(self) -> Scale:
        """What it is trained and deployed at."""
        classes = len(self.dataset.problem.classes)
        return Scale("small", self.resolution_px, width=self.width, classes=classes)

    def recipe(self, epochs: int) -> TrainingSettings:
        """The task's, with the rung's heuristics."""
        usual = {**TASKS["detection"].recipe, "epochs": epochs, "lr0": self.rate}
        found: TrainingSettings = validate(
            TrainingSettings, {**usual, **RUNGS[self.rung][2]}, self.rung
        )
        return found


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--data", type=Path, metavar="DIR", help="images with boxes; else shapes")
    words.add_argument("--resolution", type=int, default=128, help="px of a side (%(default)s)")
    words.add_argument("--width", type=float, default=0.25, help="of all networks (%(default)s)")
    words.add_argument("--seconds", type=float, default=60, help="of a training (%(default)s)")
    words.add_argument(
        "--rates", type=float, nargs="+", default=[0.02, 0.005], help="learning rates (%(default)s)"
    )
    words.add_argument("--seeds", type=int, default=3, help="of each rung (%(default)s)")
    words.add_argument("--workers", type=int, default=2, help="processes (%(default)s)")
    given = words.parse_args()
    data = DataSettings(name="shapes")
    if given.data:
        data = DataSettings(name="detection", path=given.data)
    own = (data, given.resolution, given.width, given.seconds)
    first = [Job(rung, FRESH, rate, *own) for rung in RUNGS for rate in given.rates]
    tried = side_by_side(trained, first, given)
    rows = list(chosen(tried).values())
    more = [
        replace(job, seed=FRESH + seed)
        for job, row in zip(first, tried, strict=True)
        if row in rows
        for seed in range(1, given.seeds)
    ]
    rows += side_by_side(trained, more, given)
    report(given, {"rungs": compared(rows, own, given), "rates": tried, "trainings": rows})


def chosen(tried: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of each rung the training whose rate did best on the validation images."""
    return {
        rung: max((row for row in tried if row["rung"] == rung), key=lambda row: row["validation"])
        for rung in RUNGS
    }


def trained(job: Job) -> dict[str, Any]:
    """Scores after a training of about so many processor seconds; 0 if it diverged."""
    torch.set_num_threads(1)
    start = time.process_time()
    _trained(job, TRIED_EPOCHS)
    epochs = max(1, round(job.seconds * TRIED_EPOCHS / (time.process_time() - start)))
    row = {"rung": job.rung, "rate": job.rate, "epochs": epochs}
    try:
        start = time.process_time()
        network = _trained(job, epochs)
        row["seconds"] = round(time.process_time() - start, 1)
    except TrialFailure as failure:
        return {**row, **dict.fromkeys((*SCORES, "validation"), 0.0), "failure": str(failure)}
    data, recipe = job.dataset, job.recipe(epochs)
    scores, validation = (
        evaluate(network, part, data.problem, recipe) for part in (data.test, data.validation)
    )
    return {
        **row,
        **{key: scores[key] for key in SCORES},
        "validation": validation["map50_95"],
    }


def _trained(job: Job, epochs: int) -> torch.nn.Module:
    network, recipe = build(job.design, job.scale, job.seed), job.recipe(epochs)
    begin(network, recipe, job.seed, None)
    data = job.dataset
    TASKS["detection"].adapt(network, data.train.targets, recipe)  # anchors
    train(network, data.train, data.problem, recipe, job.seed)
    return network


def compared(
    rows: list[dict[str, Any]], own: tuple[Any, ...], given: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """Means and standard errors of the scores of each rung, its size and its latency."""
    settings = LatencySettings()
    clock = Clock(settings, reference_ms(settings))
    found = {}
    for rung in RUNGS:
        job = Job(rung, 0, given.rates[0], *own)
        shape = job.scale.input_shape
        model = onnx_model(deployed(build(job.design, job.scale, seed=0)).eval(), shape, 1)
        counted = count(plan_network(job.design, job.scale).as_deployed())
        scores = {key: [row[key] for row in rows if row["rung"] == rung] for key in SCORES}
        found[rung] = {
            **{key: round(mean(values), 4) for key, values in scores.items()},
            **{
                f"{key}_error": round(stdev(values) / len(values) ** 0.5, 4)
                for key, values in scores.items()
                if given.seeds > 1
            },
            "rate": next(row["rate"] for row in rows if row["rung"] == rung),
            "epochs": mean(row["epochs"] for row in rows if row["rung"] == rung),
            "parameters": counted.parameters,
            "latency_ms": round(clock.measure(model).ms, 2),
        }
    return found


if __name__ == "__main__":
    main()
