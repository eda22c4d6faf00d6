"""Half of a network's MACs pruned after its training, and a tenth of that training behind it.

Random designs of `mobile_cells` at proxy scale; widths are those of the smallest ratio, one for
all stages, that leaves at most half of the MACs. `before` is the trained network; each importance
is the same one pruned and fine-tuned; `kept` are the means as shares of `before`. `fresh_short` and
`fresh` are networks of the narrow plan that were never wide, trained for the time of the
fine-tuning, and for that of the training.
"""

import argparse
import copy
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from record import report
from trainings import side_by_side, small_data, small_parser, small_recipe

from evonas.blueprint import scaled_network
from evonas.compression import STEPS
from evonas.compression.pruning.importance import IMPORTANCE
from evonas.compression.step import Compressed, StepKit
from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.models import Network, count
from evonas.networks import narrowed, planned
from evonas.settings import CompressionSettings, DataSettings, TrainingSettings
from evonas.space import load_space
from evonas.training import evaluate, train
from evonas.training.job import begin

CPU = torch.device("cpu")
RATIOS = [step / 100 for step in range(5, 95, 5)]
HALF = 0.5


@dataclass(frozen=True)
class Job:
    """A design and the seed of its training."""

    data: DataSettings
    epochs: int
    share: float
    seed: int

    @property
    def recipe(self) -> TrainingSettings:
        """What it is trained by."""
        return small_recipe(self.epochs)


def main() -> None:
    given = words().parse_args()
    data = small_data(given)
    jobs = [Job(data, given.epochs, given.share, seed) for seed in range(given.designs)]
    report(given, summary(side_by_side(accuracies, jobs, given)))


def words() -> argparse.ArgumentParser:
    own = small_parser(__doc__)
    own.add_argument("--designs", type=int, default=6, help="random ones (%(default)s)")
    own.add_argument("--epochs", type=int, default=20, help="of the training (%(default)s)")
    own.add_argument("--share", type=float, default=0.1, help="of it to fine-tune (%(default)s)")
    return own


def accuracies(job: Job) -> dict[str, float]:
    """On test images, of the trained network and of what becomes of it."""
    torch.set_num_threads(1)
    space = load_space("mobile_cells")
    design = space.decode(space.sample(np.random.default_rng(job.seed)))
    scale = space.scales["proxy"]
    data = load_data(job.data, scale.resolution_px)
    channels, classes = data.problem.channels, len(data.problem.classes)
    scale = replace(scale, input_channels=channels, classes=classes)
    section = scaled_network(design, scale)
    ratio, macs = halving(section)
    kit = StepKit(
        CompressionSettings(), job.recipe, section, data.train, data.problem, job.seed, CPU
    )
    wide = trained(kit, section, job.epochs)
    found = {"ratio": ratio, "macs": macs, "before": accuracy(wide, data)}
    for importance in IMPORTANCE:
        found[f"{importance}_untuned"] = accuracy(pruned(wide, kit, ratio, importance, 0), data)
        found[importance] = accuracy(pruned(wide, kit, ratio, importance, job.share), data)
    narrow = narrowed(section, [ratio])
    short = max(1, round(job.share * job.epochs))
    found["fresh_short"] = accuracy(trained(kit, narrow, short), data)
    return found | {"fresh": accuracy(trained(kit, narrow, job.epochs), data)}


def halving(section: Mapping[str, Any]) -> tuple[float, float]:
    """The smallest ratio that leaves at most half of the MACs, and the share that it leaves."""
    full = count(planned(section)).macs
    left = ((ratio, count(planned(narrowed(section, [ratio]))).macs / full) for ratio in RATIOS)
    return next(pair for pair in left if pair[1] <= HALF)


def trained(kit: StepKit, section: Mapping[str, Any], epochs: int) -> Network:
    """A network of fresh weights after so many epochs."""
    recipe = kit.recipe.model_copy(update={"epochs": epochs})
    network = Network(planned(section))
    begin(network, recipe, kit.seed, section.get("initialisation"))
    train(network, kit.images, kit.problem, recipe, kit.seed)
    return network


def pruned(
    network: Network, kit: StepKit, ratio: float, importance: str, share: float
) -> torch.nn.Module:
    """The network without a share of its channels, fine-tuned for a share of its training."""
    said = {"method": "channels", "ratio": ratio, "importance": importance, "epochs": share}
    kit = replace(kit, settings=CompressionSettings.model_validate({"pruning": said}))
    return STEPS["pruning"].applied(Compressed(kit.section, copy.deepcopy(network)), kit).network


def accuracy(network: torch.nn.Module, data: Dataset) -> float:
    """On the test images."""
    return evaluate(network, data.test, data.problem, TrainingSettings())["accuracy"]


def summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Means over designs, and shares of the accuracy before."""
    means = {key: round(statistics.mean(row[key] for row in rows), 4) for key in rows[0]}
    kept = {key: round(means[key] / means["before"], 4) for key in IMPORTANCE}
    return {"designs": len(rows), **means, "kept": kept, "rows": rows}


if __name__ == "__main__":
    main()
