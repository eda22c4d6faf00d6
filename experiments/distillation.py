"""What a small network gains by a teacher, beside itself trained by itself for as long.

The teacher is the same network of a larger width, trained for `--teacher-epochs`. Students learn
for `--epochs`: by each temperature and alpha, and by the teacher's last maps too with each hint.
`alone` is trained for as many epochs as take the same time, `alone_short` for `--epochs`; that
time is taken beforehand, on an idle process, and without that of the teacher's training. `gain` is
the mean difference from `alone` on test images over seeds, `error` its standard error.
"""

import argparse
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from record import report
from trainings import side_by_side, small_data, small_parser, small_recipe

from evonas.blueprint import Blueprint, scaled_network
from evonas.compression.compress import attachments
from evonas.compression.step import StepKit
from evonas.compression.teacher import Teacher
from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.exporters.weights import read_weights, write_weights
from evonas.models import Network, build, count
from evonas.settings import CompressionSettings, DataSettings, TrainingSettings
from evonas.space import Scale, load_space
from evonas.training import evaluate, train
from evonas.training.attachment import Attachment
from evonas.training.job import begin

NETWORK = Path(__file__).parent / "spaces" / "fixed_convnet.yaml"
CPU = torch.device("cpu")
TIMED = 3  # epochs of each kind
TAUGHT = {"method": "logits", "temperature": 4.0, "alpha": 0.5}  # what is timed


@dataclass(frozen=True)
class Job:
    """A training: `distillation` is empty where nobody teaches."""

    data: DataSettings
    resolution_px: int
    width: float
    epochs: int
    seed: int
    teacher_width: float = 1.0
    teacher: Path | None = None
    distillation: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dataset(self) -> Dataset:
        """The images."""
        return load_data(self.data, self.resolution_px)

    @property
    def recipe(self) -> TrainingSettings:
        """What all are trained by."""
        return small_recipe(self.epochs)


def main() -> None:
    given = words().parse_args()
    data = small_data(given)
    plain = Job(data, given.resolution, given.width, given.epochs, 0, given.teacher_width)
    with TemporaryDirectory() as folder:
        torch.set_num_threads(1)
        wide = replace(plain, width=given.teacher_width, epochs=given.teacher_epochs)
        teacher = {**trained(wide, Path(folder)), "parameters": parameters(wide)}
        plain = replace(plain, teacher=Path(folder))
        times = seconds_of_epochs(plain)
        longer = round(given.epochs * times["taught"] / times["alone"])
        jobs = list(all_jobs(plain, longer, given))
        found = side_by_side(trained, jobs, given)
    report(given, compared(jobs, found, given.seeds) | {"teacher": teacher, "epoch_s": times})


def words() -> argparse.ArgumentParser:
    own = small_parser(__doc__)
    own.add_argument("--resolution", type=int, default=8, help="px of a side (%(default)s)")
    own.add_argument("--width", type=float, default=0.25, help="of a student (%(default)s)")
    own.add_argument("--teacher-width", type=float, default=1.0, help="(%(default)s)")
    own.add_argument("--epochs", type=int, default=8, help="of a student (%(default)s)")
    own.add_argument("--teacher-epochs", type=int, default=16, help="(%(default)s)")
    own.add_argument("--temperatures", type=float, nargs="*", default=[1, 2, 4, 8])
    own.add_argument("--alphas", type=float, nargs="*", default=[0.3, 0.6, 0.9])
    own.add_argument("--hints", type=float, nargs="*", default=[0.1, 1.0])
    own.add_argument("--seeds", type=int, default=3, help="trainings of each (%(default)s)")
    return own


def all_jobs(plain: Job, longer: int, given: argparse.Namespace) -> Iterator[Job]:
    """Those of each kind from all seeds, one kind after the other; the first kind is `alone`."""
    logits = [
        {"method": "logits", "temperature": temperature, "alpha": alpha}
        for temperature in given.temperatures
        for alpha in given.alphas
    ]
    features = [{**TAUGHT, "method": "features", "hint": hint} for hint in given.hints]
    alone = [replace(plain, epochs=longer), plain]
    for kind in (*alone, *(replace(plain, distillation=own) for own in (*logits, *features))):
        yield from (replace(kind, seed=seed + 1) for seed in range(given.seeds))


def scale_of(job: Job, width: float) -> Scale:
    problem = job.dataset.problem
    return replace(
        load_space(str(NETWORK)).scales["proxy"],
        resolution_px=job.resolution_px,
        width=width,
        classes=len(problem.classes),
        input_channels=problem.channels,
    )


def design() -> Blueprint:
    return load_space(str(NETWORK)).decode([])


def parameters(job: Job) -> int:
    return count(build(design(), scale_of(job, job.width)).plan).parameters


def trained(job: Job, keep: Path | None = None) -> dict[str, float]:
    """Scores of one training and its seconds.

    Args:
        keep: Where to leave the weights.
    """
    torch.set_num_threads(1)
    network, data = fresh(job), job.dataset
    start = time.perf_counter()
    train(network, data.train, data.problem, job.recipe, job.seed, attachments=acting(job))
    seconds = time.perf_counter() - start
    if keep is not None:
        write_weights(keep, network)
    validation, test = (
        evaluate(network, part, data.problem, job.recipe)["accuracy"]
        for part in (data.validation, data.test)
    )
    return {"accuracy": validation, "test_accuracy": test, "seconds": round(seconds, 2)}


def fresh(job: Job) -> Network:
    network = build(design(), scale_of(job, job.width))
    begin(network, job.recipe, job.seed, None)
    return network


def acting(job: Job) -> list[Attachment]:
    """What teaches, if anything does."""
    if not job.distillation or job.teacher is None:
        return []
    data = job.dataset
    network = build(design(), scale_of(job, job.teacher_width))
    network.load_state_dict(read_weights(job.teacher / "weights.safetensors", None))
    settings = CompressionSettings.model_validate({"distillation": dict(job.distillation)})
    section = scaled_network(design(), scale_of(job, job.width))
    teacher = Teacher(network, data.problem, job.resolution_px)
    kit = StepKit(settings, job.recipe, section, data.train, data.problem, job.seed, CPU)
    return attachments(replace(kit, teacher=teacher))


def seconds_of_epochs(plain: Job) -> dict[str, float]:
    """Of an epoch with a teacher and without, in turns; the first of each warms up."""
    kinds = {"alone": plain, "taught": replace(plain, distillation=TAUGHT)}
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(TIMED + 1):
        for name, job in kinds.items():
            times[name].append(trained(replace(job, epochs=1))["seconds"])
    return {name: round(statistics.median(own[1:]), 3) for name, own in times.items()}


def compared(jobs: list[Job], found: list[dict[str, float]], seeds: int) -> dict[str, Any]:
    """A row for each kind."""
    scores = np.array([one["test_accuracy"] for one in found]).reshape(-1, seeds)
    rows = []
    for kind, own in enumerate(scores):
        job, gains = jobs[kind * seeds], own - scores[0]
        seconds = [one["seconds"] for one in found[kind * seeds : (kind + 1) * seeds]]
        name = dict(job.distillation) or ("alone", "alone_short")[kind]
        row = {"kind": name, "epochs": job.epochs, "test_accuracy": own.round(4).tolist()}
        row |= {"gain": round(float(gains.mean()), 4), "seconds": seconds}
        if seeds > 1:
            row["error"] = round(float(gains.std(ddof=1) / np.sqrt(seeds)), 4)
        rows.append(row)
    return {"parameters": parameters(jobs[0]), "students": rows}


if __name__ == "__main__":
    main()
