"""What a search over the training recipe gains for one fixed detector, at equal seconds.

Searches over heuristics for `spaces/fixed_detector.yaml` by short trainings, chosen on
the validation images. The recipe that it finds and a plain one (CIoU, ten points a box, constant
rate, no variation) are then trained for `--seconds` of processor time each, from `--seeds` seeds
that no search had, and looked at on the test images: `margin` is the mean difference. Each
heuristic of the recipe is left out in turn: `share` is what the recipe loses by that.
"""

import argparse
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any

import torch
from record import parser, report
from trainings import FRESH, side_by_side

from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.driver import search
from evonas.models import build, count
from evonas.settings import DataSettings, TrainingSettings, validate
from evonas.space import Scale
from evonas.space.load import load_space_file
from evonas.tasks import TASKS
from evonas.training import evaluate, train
from evonas.training.job import begin

SPACE = Path(__file__).parent / "spaces" / "fixed_detector.yaml"
TRIED_EPOCHS = 2  # by which the seconds of an epoch are known
SCORES = ("map50", "map50_95")
PLAIN: dict[str, Any] = {"schedule": "constant", "ema": 0.0, "clip_gradients": 0.0}
# What a recipe is without: each is left out alone.
NEUTRAL: dict[str, Any] = {
    **dict.fromkeys(("mosaic", "mixup", "cutmix", "crop", "expand", "interpolate"), 0.0),
    **dict.fromkeys(("multi_scale", "translate", "scale", "degrees", "shear"), 0.0),
    **dict.fromkeys(("fliplr", "flipud", "hsv_h", "hsv_s", "hsv_v", "contrast"), 0.0),
    **dict.fromkeys(("cutout", "erasing", "gridmask", "drop_block", "label_smoothing"), 0.0),
    **dict.fromkeys(("ema", "clip_gradients"), 0.0),
    "progressive": 1.0,
    "schedule": "constant",
}


@dataclass(frozen=True)
class Job:
    """A training, and what it is called."""

    name: str
    recipe: dict[str, Any]
    seed: int
    data: str
    seconds: float


def main() -> None:
    given = _given()
    recipe = _searched(given)
    heuristics = [key for key, value in NEUTRAL.items() if recipe.get(key, value) != value]
    recipes = {"plain": PLAIN, "searched": recipe}
    recipes |= {f"without {key}": {**recipe, key: NEUTRAL[key]} for key in heuristics}
    jobs = [
        Job(name, recipe, FRESH + seed, given.data, given.seconds)
        for name, recipe in recipes.items()
        for seed in range(given.left_out_seeds if name.startswith("without") else given.seeds)
    ]
    rows = side_by_side(trained, jobs, given)
    report(given, _compared(recipe, rows))


def _given() -> argparse.Namespace:
    words = parser(__doc__)
    words.add_argument("--data", required=True, metavar="DIR", help="images with boxes")
    words.add_argument("--seconds", type=float, default=90, help="of a training (%(default)s)")
    words.add_argument("--seeds", type=int, default=3, help="of both recipes (%(default)s)")
    words.add_argument("--left-out-seeds", type=int, default=1, help="of others (%(default)s)")
    words.add_argument("--evaluations", type=int, default=40, help="of the search (%(default)s)")
    words.add_argument("--epochs", type=int, default=16, help="in the search (%(default)s)")
    words.add_argument("--part", default="detection_heuristics", help="heuristics (%(default)s)")
    words.add_argument("--workers", type=int, default=2, help="processes (%(default)s)")
    return words.parse_args()


def _searched(given: argparse.Namespace) -> dict[str, Any]:
    """What the best design of a search says of the training."""
    with TemporaryDirectory() as folder:
        words = [f"space={SPACE}+{given.part}", "data=detection", f"data.path={given.data}"]
        words += ["objectives=map50_95", f"budget.evaluations={given.evaluations}"]
        words += [f"training.epochs={given.epochs}", "executor=local", "display=none"]
        run = search([*words, f"executor.workers={given.workers}", f"run.folder={folder}"])
    best = run.records.best
    assert best is not None, "a search that trained anything has a best"
    return dict(run.records.trials[best].blueprint.training)


def trained(job: Job) -> dict[str, Any]:
    """Scores of a training of about so many seconds of processor time."""
    torch.set_num_threads(1)
    data, epochs = _data(job.data), _epochs(job)
    network, recipe = _begun(job, epochs, data)
    start = time.process_time()
    train(network, data.train, data.problem, recipe, job.seed)
    seconds = time.process_time() - start
    scores = {
        part: evaluate(network, images, data.problem, recipe)
        for part, images in (("validation", data.validation), ("test", data.test))
    }
    return {
        "name": job.name,
        "epochs": epochs,
        "seconds": round(seconds, 1),
        **{f"{part}_{name}": scores[part][name] for part in scores for name in SCORES},
    }


@cache
def _data(path: str) -> Dataset:
    resolution_px = load_space_file(SPACE).scales["proxy"].resolution_px
    return load_data(DataSettings(name="detection", path=Path(path)), resolution_px)


def _epochs(job: Job) -> int:
    """As many as fill the time, by a training that is thrown away."""
    data = _data(job.data)
    network, recipe = _begun(job, TRIED_EPOCHS, data)
    start = time.process_time()
    train(network, data.train, data.problem, recipe, job.seed)
    return max(1, round(job.seconds * TRIED_EPOCHS / (time.process_time() - start)))


def _begun(job: Job, epochs: int, data: Dataset) -> tuple[torch.nn.Module, TrainingSettings]:
    space = load_space_file(SPACE)
    scale = Scale("proxy", space.scales["proxy"].resolution_px, classes=len(data.problem.classes))
    values = {**TASKS["detection"].recipe, **job.recipe, "epochs": epochs}
    recipe: TrainingSettings = validate(TrainingSettings, values, job.name)
    network = build(space.decode(()), scale, job.seed)
    begin(network, recipe, job.seed, None)
    return network, recipe


def _compared(recipe: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    means = {
        name: {key: mean(row[key] for row in rows if row["name"] == name) for key in _keys()}
        for name in dict.fromkeys(row["name"] for row in rows)
    }
    plain, searched = means["plain"], means["searched"]
    space = load_space_file(SPACE)
    plan = build(space.decode(()), space.scales["full"]).plan.as_deployed()
    return {
        "parameters": count(plan).parameters,
        "margin": {key: searched[key] - plain[key] for key in _keys()},
        "means": means,
        "share": {
            name.removeprefix("without "): {key: searched[key] - of[key] for key in _keys()}
            for name, of in means.items()
            if name.startswith("without ")
        },
        "deviation": {
            name: {key: stdev(row[key] for row in rows if row["name"] == name) for key in _keys()}
            for name in ("plain", "searched")
            if sum(row["name"] == name for row in rows) > 1
        },
        "recipe": recipe,
        "trainings": rows,
    }


def _keys() -> list[str]:
    return [f"{part}_{name}" for part in ("validation", "test") for name in SCORES]


if __name__ == "__main__":
    main()
