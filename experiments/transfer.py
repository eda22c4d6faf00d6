"""A network that knows three classes learns three others: from its weights against from nothing.

Random designs of `mobile_cells` at proxy scale, a seed each. Each is trained on the first three
classes of a folder for as long as the longest of `epochs`, and then learns the next three: from
`nothing`, from the `weights` but for the last layer, from these with a learning rate of a third
(`gently`), and as a `probe`, whose last layer alone is trained (`training.freeze=all`). Images are
moved, as in a retraining, and mirrored. Each number of epochs is a training of its own, with a
schedule as long; figures are means of the test accuracy, `known` that of the first three classes.
`epochs_to_the_same` is the fewest epochs after which the mean is that of the best training from
nothing, or better; none: never.
"""

import argparse
import shutil
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from record import parser, report
from trainings import side_by_side, small_recipe

from evonas.blueprint import Blueprint, scaled_network
from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.delivery.other_classes import tensors_of_classes
from evonas.exporters.file_names import WEIGHTS
from evonas.exporters.weights import write_weights
from evonas.models import Network
from evonas.networks import planned
from evonas.settings import DataSettings, TrainingSettings
from evonas.space import Scale, load_space
from evonas.training import evaluate, train
from evonas.training.job import begin

CLASSES = 3  # at a time
PARTS = ("train", "test")
EPOCHS = (1, 2, 4, 8, 24)
VARIED = {"translate": 0.1, "fliplr": 0.5}
WAYS: Mapping[str, Mapping[str, Any]] = {
    "nothing": {"weights": None},
    "weights": {},
    "gently": {"lr_factor": 1 / 3},
    "probe": {"freeze": "all"},
}


@dataclass(frozen=True)
class Job:
    """A design and its seed, and where the images of the two problems are."""

    folders: tuple[Path, Path]
    epochs: tuple[int, ...]
    seed: int


def main() -> None:
    given = words().parse_args()
    with TemporaryDirectory() as place:
        folders = (some(given, Path(place), 0), some(given, Path(place), 1))
        jobs = [Job(folders, tuple(given.epochs), seed) for seed in range(given.designs)]
        rows = side_by_side(accuracies, jobs, given)
        names = [sorted(path.name for path in (each / PARTS[0]).iterdir()) for each in folders]
    classes = dict(zip(("first", "then"), names, strict=True))
    report(given, {"classes": classes, **summary(rows, given.epochs)})


def words() -> argparse.ArgumentParser:
    own = parser(__doc__)
    own.add_argument(
        "--data", required=True, metavar="DIR", help="train and test, each a folder of classes"
    )
    own.add_argument("--images", type=int, default=300, help="of each class (%(default)s)")
    own.add_argument("--tested", type=int, default=300, help="of each class (%(default)s)")
    own.add_argument("--designs", type=int, default=4, help="random ones (%(default)s)")
    own.add_argument("--epochs", type=int, nargs="*", default=EPOCHS, help="of the trainings")
    own.add_argument("--workers", type=int, default=2, help="processes (%(default)s)")
    return own


def some(given: argparse.Namespace, place: Path, turn: int) -> Path:
    """A folder with some images of the classes whose turn it is, by name."""
    for part, count in zip(PARTS, (given.images, given.tested), strict=True):
        classes = sorted(path for path in Path(given.data, part).iterdir() if path.is_dir())
        for each in classes[CLASSES * turn : CLASSES * (turn + 1)]:
            to = place / str(turn) / part / each.name
            to.mkdir(parents=True)
            for image in sorted(each.iterdir())[:count]:
                shutil.copy2(image, to)
    return place / str(turn)


def accuracies(job: Job) -> dict[str, list[float]]:
    """On the test images of the first problem, and of the other after each number of epochs."""
    torch.set_num_threads(1)
    space = load_space("mobile_cells")
    design = space.decode(space.sample(np.random.default_rng(job.seed)))
    scale = replace(space.scales["proxy"], classes=CLASSES)
    first, then = (
        load_data(DataSettings(name="folder", path=path), scale.resolution_px)
        for path in job.folders
    )
    longest = max(job.epochs)
    recipe = small_recipe(longest).model_copy(update=VARIED)
    known = trained(design, scale, first, recipe, job.seed)
    found = {"known": [accuracy(known, first)]}
    with TemporaryDirectory() as place:
        write_weights(Path(place), known)
        for way, own in WAYS.items():
            base = recipe.model_copy(update={"weights": Path(place) / WEIGHTS})
            recipes = (base.model_copy(update={"epochs": n, **own}) for n in job.epochs)
            networks = (trained(design, scale, then, each, job.seed) for each in recipes)
            found[way] = [accuracy(network, then) for network in networks]
    return found


def trained(
    design: Blueprint, scale: Scale, data: Dataset, recipe: TrainingSettings, seed: int
) -> Network:
    """The design after a training on all images but the test ones."""
    section = scaled_network(design, scale)
    network = Network(planned(section))
    fresh = tensors_of_classes(section)
    begin(network, recipe, seed, design.network.get("initialisation"), fresh)
    train(network, data.development, data.problem, recipe, seed)
    return network


def accuracy(network: torch.nn.Module, data: Dataset) -> float:
    """On the test images."""
    return evaluate(network, data.test, data.problem, TrainingSettings())["accuracy"]


def summary(rows: Sequence[Mapping[str, list[float]]], epochs: Sequence[int]) -> dict[str, Any]:
    """Means over designs, and how soon they are as good as a long training from nothing."""
    means = {
        key: [
            round(statistics.mean(own), 4) for own in zip(*(row[key] for row in rows), strict=True)
        ]
        for key in rows[0]
    }
    wanted = max(means["nothing"])
    soonest = {
        way: next((n for n, own in zip(epochs, means[way], strict=True) if own >= wanted), None)
        for way in WAYS
    }
    return {
        "designs": len(rows),
        "epochs": list(epochs),
        **means,
        "epochs_to_the_same": soonest,
        "rows": rows,
    }


if __name__ == "__main__":
    main()
