"""Whether a short training ranks detectors as one of four times its length does.

Random designs of a space are trained for `--epochs` and for four times as many, by the usual
recipe of detectors. `spearman` is the rank correlation of their average precisions on the
validation images, `regret` what the best by the short training lacks after the long one.
"""

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from record import parser, report
from scipy.stats import spearmanr
from trainings import side_by_side

from evonas.data.cache import load_data
from evonas.models import build, count
from evonas.settings import DataSettings, Settings, TrainingSettings, validate
from evonas.space import SearchSpace, load_space
from evonas.space.run_scales import run_scales
from evonas.tasks import TASKS
from evonas.training import evaluate, train
from evonas.training.job import begin

LONGER = 4


@dataclass(frozen=True)
class Job:
    """A training of a random design."""

    space: str
    data: str | None
    number: int
    epochs: int


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--data", metavar="DIR", help="images with boxes; without, data=shapes")
    words.add_argument("--space", default="detector", help="%(default)s")
    words.add_argument("--designs", type=int, default=12, help="%(default)s")
    words.add_argument("--epochs", type=int, default=12, help="of the short ones (%(default)s)")
    words.add_argument("--workers", type=int, default=2, help="processes (%(default)s)")
    given = words.parse_args()
    lengths = (given.epochs, LONGER * given.epochs)
    jobs = [
        Job(given.space, given.data, number, epochs)
        for number in range(given.designs)
        for epochs in lengths
    ]
    rows = side_by_side(trained, jobs, given)
    short, long = (
        np.array([row["map50_95"] for row in rows if row["epochs"] == epochs]) for epochs in lengths
    )
    statistic, p_value = spearmanr(short, long)
    report(
        given,
        {
            "spearman": round(float(statistic), 3),
            "p_value": float(p_value),
            "regret": float(long.max() - long[short.argmax()]),
            "trainings": rows,
        },
    )


def trained(job: Job) -> dict[str, Any]:
    """How the design does on the validation images."""
    torch.set_num_threads(1)
    space, data = _space(job.space), _settings(job)
    loaded = load_data(data, space.scales["proxy"].resolution_px)
    problem = loaded.problem
    facts = {"channels": problem.channels, "classes": problem.classes}
    scale, _ = run_scales(space, Settings(), facts)
    design = space.decode(space.sample(np.random.default_rng(job.number)))
    values = {**TASKS["detection"].recipe, "epochs": job.epochs}
    recipe: TrainingSettings = validate(TrainingSettings, values, "recipe")
    network = build(design, scale, job.number)
    begin(network, recipe, job.number, None)
    start = time.process_time()
    train(network, loaded.train, problem, recipe, job.number)
    scores = evaluate(network, loaded.validation, problem, recipe)
    return {
        "design": job.number,
        "parameters": count(network.plan.as_deployed()).parameters,
        "epochs": job.epochs,
        "cpu_seconds": round(time.process_time() - start, 1),
        "map50_95": scores["map50_95"],
    }


@cache
def _space(words: str) -> SearchSpace:
    return load_space(words)


def _settings(job: Job) -> DataSettings:
    if job.data is None:
        return DataSettings(name="shapes")
    return DataSettings(name="detection", path=Path(job.data))


if __name__ == "__main__":
    main()
