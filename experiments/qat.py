"""8 bits: static, behind a training that knows of them, and behind plain training for as long.

Designs of `mobile_cells` are trained on the bundled digits or on a folder of images. `static` is
int8 of the trained network, `qat` that of the network fine-tuned with fake quantisation for a
share of its training, and `longer` static int8 of the one fine-tuned in 32 bits for as many epochs
as take the same processor time. All are scored on the test images, 8 bits in ONNX Runtime; points
are means over designs and seeds, errors standard errors of these means.
"""

import copy
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from record import report
from torch import nn
from trainings import side_by_side, small_data, small_parser, small_recipe

from evonas.blueprint import scaled_network
from evonas.compression.compress import compressed
from evonas.compression.finetuning import epochs_of, finetuned
from evonas.compression.step import StepKit
from evonas.data.cache import load_data
from evonas.exporters.onnx import onnx_model
from evonas.exporters.onnx_network import OnnxNetwork
from evonas.models import Network, initialise
from evonas.networks import planned
from evonas.settings import CompressionSettings, DataSettings
from evonas.space import load_space
from evonas.training import evaluate, train

CPU = torch.device("cpu")
STATIC = {"method": "int8"}


@dataclass(frozen=True)
class Job:
    """A training of a design, and what follows it."""

    data: DataSettings
    resolution_px: int
    design: int
    seed: int
    epochs: int
    share: float


def main() -> None:
    words = small_parser(__doc__)
    words.add_argument("--designs", type=int, default=2, help="random ones (%(default)s)")
    words.add_argument("--seeds", type=int, default=3, help="trainings of each (%(default)s)")
    words.add_argument("--epochs", type=int, default=10, help="of a training (%(default)s)")
    words.add_argument("--share", type=float, default=0.2, help="of them in qat (%(default)s)")
    words.add_argument("--resolution", type=int, default=16, help="px of a side (%(default)s)")
    given = words.parse_args()
    jobs = [
        Job(small_data(given), given.resolution, design, seed, given.epochs, given.share)
        for design in range(given.designs)
        for seed in range(given.seeds)
    ]
    rows = side_by_side(trained, jobs, given)
    report(given, {**compared(rows), "trainings": rows})


def trained(job: Job) -> dict[str, Any]:
    """Accuracies of all ways, and the processor seconds of both fine-tunings."""
    torch.set_num_threads(1)
    kit = kit_of(job, STATIC)
    network = Network(planned(kit.section))
    initialise(network, job.seed)
    train(network, kit.images, kit.problem, kit.recipe, job.seed)
    row: dict[str, Any] = {"design": job.design, "seed": job.seed}
    row["fp32"] = accuracy(network, job)
    row["static"] = in_8_bits(network, job, kit)
    epochs = epochs_of(kit.recipe, job.share)
    aware = kit_of(job, {"method": "qat", "epochs": job.share})
    start = time.process_time()
    row["qat"] = in_8_bits(network, job, aware)
    row["qat_s"] = time.process_time() - start - scoring_seconds(network, job, kit)
    start = time.process_time()
    finetuned(copy.deepcopy(network), kit, 1)
    longer = max(1, round(row["qat_s"] / (time.process_time() - start)))
    start = time.process_time()
    more = copy.deepcopy(network)
    finetuned(more, kit, longer)
    row |= {"longer_s": time.process_time() - start, "epochs": [epochs, longer]}
    return row | {"longer_fp32": accuracy(more, job), "longer": in_8_bits(more, job, kit)}


def kit_of(job: Job, quantisation: dict[str, Any]) -> StepKit:
    """What steps of compression work with."""
    data = load_data(job.data, job.resolution_px)
    channels, side, _ = data.train.images.shape[1:]
    space = load_space("mobile_cells")
    fitting = {"input_channels": channels, "classes": len(data.problem.classes)}
    scale = replace(space.scales["proxy"], resolution_px=side, **fitting)
    rng = np.random.default_rng(0)
    design = [space.decode(space.sample(rng)) for _ in range(job.design + 1)][-1]
    settings = CompressionSettings.model_validate({"quantisation": quantisation})
    section = dict(scaled_network(design, scale))
    own = (settings, small_recipe(job.epochs), section, data.train, data.problem)
    return StepKit(*own, seed=job.seed, device=CPU)


def scoring_seconds(network: Network, job: Job, kit: StepKit) -> float:
    """What static int8 and its score take, which is no training."""
    start = time.process_time()
    in_8_bits(network, job, kit)
    return time.process_time() - start


def in_8_bits(network: Network, job: Job, kit: StepKit) -> float:
    made = compressed(copy.deepcopy(network), kit).quantised
    assert made is not None, "both methods compute in 8 bits"
    return accuracy(OnnxNetwork(onnx_model(made, network.plan.input_shape, None)), job)


def accuracy(network: nn.Module, job: Job) -> float:
    data = load_data(job.data, job.resolution_px)
    scores = evaluate(network, data.test, data.problem, small_recipe(job.epochs))
    return scores["accuracy"]


def compared(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean accuracies, and points that each way has more than static int8."""
    ways = ("fp32", "static", "qat", "longer_fp32", "longer")
    means = {way: round(statistics.mean(row[way] for row in rows), 4) for way in ways}
    over = {way: [100 * (row[way] - row["static"]) for row in rows] for way in ("qat", "longer")}
    over["qat over longer"] = [100 * (row["qat"] - row["longer"]) for row in rows]
    return {
        "accuracy": means,
        "points": {
            way: {
                "gain": round(statistics.mean(values), 2),
                "error": round(statistics.stdev(values) / len(values) ** 0.5, 2),
            }
            for way, values in over.items()
        },
    }


if __name__ == "__main__":
    main()
