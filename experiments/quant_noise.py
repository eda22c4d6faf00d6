"""Packed weights: size and accuracy, and what Quant-Noise gains over training on for as long.

One network with depthwise convolutions is trained for `--epochs` from each seed, on the bundled
digits or on a folder of images. It is then trained on for `--seconds` of processor time, plainly
and with Quant-Noise of each method, share and block; with `--anew` all begin with fresh weights
instead. What comes of each is scored on the test images in 32 bits, in 8 and 4 bits and by product
quantisation: `gain` is the accuracy that a method's noise gives in its own form less that of the
plain training, seed by seed; errors are standard errors of the mean over seeds. `packed` are forms
that the plain training was packed in, with their bytes, and what they cost without it (`before`).
"""

import argparse
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import safetensors.torch
import torch
from record import parser, report
from torch import nn
from training_speed import INVERTED
from trainings import side_by_side

from evonas.compression.packing.pack import pack, packed_bytes, packer, unpack
from evonas.compression.quant_noise import Noise
from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.models import Network, build, count
from evonas.settings import DataSettings, TrainingSettings
from evonas.settings.compression import QuantisationSettings, QuantNoiseSettings
from evonas.space import Scale
from evonas.training import evaluate, train

METHODS, SHARES, BLOCKS = ("int8", "int4", "pq"), (0.05, 0.2, 0.5, 1.0), (4, 8, 16)
TRAINED: dict[str, Any] = {"lr0": 0.2, "momentum": 0.9, "batch_size": 64}
TRAINED_ON: dict[str, Any] = {**TRAINED, "lr_factor": 0.2}
FORMS: Mapping[str, dict[str, Any]] = {
    "int8": {"method": "weights"},
    "int4": {"method": "weights", "bits": 4},
    "int4_group_32": {"method": "weights", "bits": 4, "group": 32},
    "int4_group_16": {"method": "weights", "bits": 4, "group": 16},
    **{f"pq_{block}": {"method": "pq", "block": block} for block in BLOCKS},
}


@dataclass(frozen=True)
class Images:
    """Which, and how large."""

    path: Path | None
    subset: int | None
    resolution_px: int


@dataclass(frozen=True)
class Base:
    """A network to be trained."""

    seed: int
    epochs: int
    images: Images


@dataclass(frozen=True)
class Job:
    """A training of so many seconds. `weights`: to begin with; `noise`: None is without."""

    seed: int
    weights: bytes | None
    noise: QuantNoiseSettings | None
    seconds: float
    images: Images

    @property
    def name(self) -> str:
        """Method, share and block."""
        noise = self.noise
        return f"{noise.method} {noise.share:g} {noise.block}" if noise else "plain"

    @property
    def forms(self) -> Iterable[str]:
        """Those that it is scored in."""
        return ("int8", "int4", f"pq_{self.noise.block}") if self.noise else FORMS


def main() -> None:
    given = _given()
    images = Images(given.data, given.subset, given.resolution)
    bases = [Base(seed, given.epochs, images) for seed in range(given.seeds)]
    weights = side_by_side(trained, bases, given)
    before = side_by_side(scored, list(zip(bases, weights, strict=True)), given)
    noises = [None, *(_noise(*values) for values in product(METHODS, given.shares, given.blocks))]
    jobs = [
        Job(base.seed, None if given.anew else state, noise, given.seconds, images)
        for base, state in zip(bases, weights, strict=True)
        for noise in noises
    ]
    report(given, compared(before, side_by_side(trained_on, jobs, given), images))


def _given() -> argparse.Namespace:
    words = parser(__doc__)
    words.add_argument("--data", type=Path, metavar="DIR", help="a folder of classes of images")
    words.add_argument("--subset", type=int, help="images of it to train and validate by")
    words.add_argument("--resolution", type=int, default=16, help="px of a side (%(default)s)")
    words.add_argument("--epochs", type=int, default=12, help="of the training (%(default)s)")
    words.add_argument("--seconds", type=float, default=6, help="of training on (%(default)s)")
    words.add_argument("--anew", action="store_true", help="begin with fresh weights instead")
    words.add_argument("--seeds", type=int, default=3, help="of everything (%(default)s)")
    words.add_argument("--shares", type=float, nargs="+", default=SHARES, help="of blocks")
    words.add_argument("--blocks", type=int, nargs="+", default=BLOCKS, help="their weights")
    words.add_argument("--workers", type=int, default=2, help="processes (%(default)s)")
    return words.parse_args()


def _noise(method: str, share: float, block: int) -> QuantNoiseSettings:
    return QuantNoiseSettings.model_validate({"method": method, "share": share, "block": block})


def _data(images: Images) -> Dataset:
    name = "folder" if images.path else "digits"
    settings = DataSettings(name=name, path=images.path, subset=images.subset)
    return load_data(settings, images.resolution_px)


def _network(data: Dataset, seed: int, weights: bytes | None = None) -> Network:
    channels, side, _ = data.train.images.shape[1:]
    classes = len(data.problem.classes)
    scale = Scale("proxy", side, smallest_map_px=4, input_channels=channels, classes=classes)
    network = build(INVERTED, scale, seed)
    if weights is not None:
        network.load_state_dict(safetensors.torch.load(weights))
    return network


def trained(base: Base) -> bytes:
    """Weights that all others begin with."""
    torch.set_num_threads(1)
    data = _data(base.images)
    network = _network(data, base.seed)
    recipe = TrainingSettings(epochs=base.epochs, **TRAINED)
    train(network, data.train, data.problem, recipe, base.seed)
    return _bytes(network)


def _bytes(network: nn.Module) -> bytes:
    return safetensors.torch.save({n: t.contiguous() for n, t in network.state_dict().items()})


def scored(of: tuple[Base, bytes]) -> dict[str, float]:
    """Accuracies of a trained network in all forms."""
    torch.set_num_threads(1)
    base, weights = of
    data = _data(base.images)
    return _accuracies(_network(data, base.seed, weights), data, FORMS)


def _accuracies(network: Network, data: Dataset, forms: Iterable[str]) -> dict[str, float]:
    """On the test images, in 32 bits and in these forms."""
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    found = {"fp32": _accuracy(network, data)}
    for form in forms:
        network.load_state_dict(unpack(pack(state, packer(_form(form)))))
        found[form] = _accuracy(network, data)
    return found


def _form(name: str) -> QuantisationSettings:
    block = {"method": "pq", "block": int(name.removeprefix("pq_"))} if "pq" in name else {}
    return QuantisationSettings.model_validate(FORMS.get(name, block))


def _accuracy(network: Network, data: Dataset) -> float:
    return evaluate(network, data.test, data.problem, TrainingSettings())["accuracy"]


def trained_on(job: Job) -> dict[str, Any]:
    """What comes of a job; its epochs are as many as fill the time."""
    torch.set_num_threads(1)
    data = _data(job.images)
    of_an_epoch = min(_training(job, data, 1)[1] for _ in range(2))  # the first one warms up
    epochs = max(1, round(job.seconds / of_an_epoch))
    network, seconds = _training(job, data, epochs)
    row = {"name": job.name, "seed": job.seed, "epochs": epochs, "seconds": round(seconds, 1)}
    return row | _accuracies(network, data, job.forms)


def _training(job: Job, data: Dataset, epochs: int) -> tuple[Network, float]:
    """The network, and processor seconds."""
    recipe = TrainingSettings(epochs=epochs, **(TRAINED if job.weights is None else TRAINED_ON))
    network = _network(data, job.seed, job.weights)
    attachments = [Noise(job.noise, job.seed)] if job.noise else []
    start = time.process_time()
    train(network, data.train, data.problem, recipe, job.seed, attachments=attachments)
    return network, time.process_time() - start


def compared(
    before: list[dict[str, float]], rows: list[dict[str, Any]], images: Images
) -> dict[str, Any]:
    plan = _network(_data(images), 0).plan
    parameters = count(plan).parameters
    plain = [row for row in rows if row["name"] == "plain"]
    packed = {
        form: {
            "bytes": packed_bytes(plan, _form(form)),
            "smaller": round(4 * parameters / packed_bytes(plan, _form(form)), 2),
            "before": _mean(row[form] for row in before),
            "accuracy": _mean(row[form] for row in plain),
        }
        for form in FORMS
    }
    names = [name for name in dict.fromkeys(row["name"] for row in rows) if name != "plain"]
    return {
        "parameters": parameters,
        "fp32": {
            "before": _mean(row["fp32"] for row in before),
            "accuracy": _mean(row["fp32"] for row in plain),
        },
        "packed": packed,
        "noise": {name: _gained(name, rows, plain) for name in names},
        "trainings": rows,
    }


def _gained(name: str, rows: list[dict[str, Any]], plain: list[dict[str, Any]]) -> dict[str, Any]:
    """Of a kind of noise: accuracies in 32 bits and in its own form, and the gain there."""
    method, _, block = name.split()
    form = f"pq_{block}" if method == "pq" else method
    own = [row for row in rows if row["name"] == name]
    gains = [row[form] - other[form] for row, other in zip(own, plain, strict=True)]
    result = {
        "epochs": mean(row["epochs"] for row in own),
        "fp32": _mean(row["fp32"] for row in own),
        form: _mean(row[form] for row in own),
        "gain": _mean(gains),
    }
    if len(gains) > 1:
        result["error"] = round(stdev(gains) / np.sqrt(len(gains)), 4)
    return result


def _mean(values: Iterable[float]) -> float:
    return round(mean(values), 4)


if __name__ == "__main__":
    main()
