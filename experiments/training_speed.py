"""How fast a training is beside a plain loop, and what accuracy it reaches in so many seconds.

Two networks on CIFAR-10 at 32 px, one core. The plain loop is what a tutorial shows: a DataLoader
over the image files, transforms of each sample, batches in the usual memory order, 32-bit numbers,
one learning rate. Both loops train the same network in turns, so that a busy machine slows both,
the plain one in a process of its own, as a training here tells the C library what to keep;
throughput counts images. With progressive resolution they are those of a whole training: from 16 to
24 px, and from 16 to 32 px (`growing_to_32`). The plain loop stays at 32 px.

For the accuracy, a first measurement tells how many epochs fit into the CPU seconds on this machine
(`epochs`; the last per cent are taken off the training images, `images`). The test images are
looked at once, at the end.
"""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from elsewhere import seconds_elsewhere
from PIL import Image
from record import parser, report
from torch import nn

from evonas.blueprint import Blueprint, plan_network
from evonas.data.cache import load_data
from evonas.data.dataset import Dataset, Split
from evonas.models import build, count
from evonas.settings import DataSettings, TrainingSettings
from evonas.space import Scale
from evonas.training import evaluate, train

SCALE = Scale("proxy", resolution_px=32)
SMALLER = Scale("smaller", resolution_px=24)
PLAIN_BATCH = 128  # of both loops where their throughput is compared
FEW = 5120  # images, by which it is told how many fit into the seconds
FILLED = 0.96  # of the seconds: trainings of the same length differ by some per cent


def stage(operation: str, channels: int, layers: int, stride: int, **more: Any) -> dict[str, Any]:
    own = {"operation": operation, "channels": channels, "layers": layers, "stride": stride}
    return {"kernel": 3, "se_ratio": 0, "skip": "identity", **own, **more}


def network(
    stem: int, *stages: dict[str, Any], kernel: int = 3, activation: str = "relu"
) -> Blueprint:
    """`kernel` is the stem's."""
    return Blueprint(
        {
            "builder": "stages",
            "activation": activation,
            "stem": {"channels": stem, "kernel": kernel, "stride": 2},
            "stages": list(stages),
            "head": {"channels": 0},
        }
    )


@dataclass(frozen=True)
class Subject:
    """A family's network for the throughput, those for so many CPU seconds, bfloat16 or not."""

    blueprint: Blueprint
    networks: dict[int, Blueprint]
    bfloat16: bool


# Early maps are small: it is the number of images seen that counts in so short a time. A stem of
# 5x5 with stride 2 sees what one of 3x3 skips.
def mobile(stem: int) -> Blueprint:
    return network(
        stem,
        stage("depthwise_separable", 96, 2, 2),
        stage("depthwise_separable", 192, 2, 2),
        kernel=5,
        activation="hard_swish",
    )


# A convolution of stride 2 takes twice as long as a pooling and one of stride 1 behind it. Few maps
# at the end leave time for more at the beginning.
def residual(stem: int, maps: int, last: int) -> Blueprint:
    def convolution(channels: int, kernel: int = 3, stride: int = 1) -> dict[str, Any]:
        own = {"conv": channels, "kernel": kernel, "stride": stride}
        return {**own, "norm": "batch", "bias": False}

    def added(channels: int) -> dict[str, Any]:
        return {"sum": [[], [convolution(channels)]]}

    layers = [convolution(stem, 5, 2), {"max_pool": 2}]
    layers += [convolution(maps), added(maps), added(maps), convolution(last, 3, 2), added(last)]
    head = [{"global_pool": "average"}, {"linear": "classes"}]
    return Blueprint(
        {"builder": "chain", "activation": "hard_swish", "layers": layers, "head": head}
    )


INVERTED = network(  # a MobileNetV2 of 150,000 weights, for the throughput
    16,
    stage("inverted_residual", 16, 1, 1, expansion=1),
    stage("inverted_residual", 24, 2, 2, expansion=4),
    stage("inverted_residual", 48, 2, 2, expansion=4),
    stage("inverted_residual", 96, 2, 2, expansion=4),
)
RESIDUAL = network(  # a residual one of 240,000, for the throughput
    32, stage("conv", 64, 1, 2), stage("conv", 128, 2, 2)
)
COMMON: dict[str, Any] = {
    "batch_size": 64,
    "lr0": 0.2,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "lrf": 0.01,
    "label_smoothing": 0.1,
    "fliplr": 0.5,
    "progressive": 0.5,
    # What helps deep networks along costs shallow ones time.
    "auxiliary": 0.0,
    "shift_init": 0.0,
    "initialisation": "he",  # as in the record
}
# Orthogonal steps teach more of each image; they may be large, but shall become so slowly.
MUON: dict[str, Any] = {"optimizer": "muon", "lr0": 0.8, "momentum": 0.6, "batch_size": 128}
WARMING = 0.6  # of a training


def recipe(epochs: int, **more: Any) -> TrainingSettings:
    return TrainingSettings(epochs=epochs, **{**COMMON, **more})


def quick_recipe(epochs: int) -> TrainingSettings:
    return recipe(epochs, warmup_epochs=WARMING * epochs, **MUON)


SUBJECTS = {
    "mobile": Subject(INVERTED, {25: mobile(stem=32), 60: mobile(stem=48)}, bfloat16=False),
    "residual": Subject(
        RESIDUAL,
        {25: residual(stem=48, maps=64, last=64), 60: residual(stem=48, maps=64, last=128)},
        bfloat16=True,
    ),
}


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--data", type=Path, required=True, help="CIFAR-10 as train/CLASS/*.jpg")
    words.add_argument("--seeds", type=int, default=3)
    words.add_argument("--turns", type=int, default=5, help="of both loops, for the throughput")
    words.add_argument("--images", type=int, default=2560, help="of a turn")
    given = words.parse_args()
    torch.set_num_threads(1)
    settings = DataSettings(name="folder", path=given.data, validation_share=0.02)
    data = load_data(settings, SCALE.resolution_px)
    smaller = load_data(settings, SMALLER.resolution_px)
    speeds = {
        name: speed(subject, (data, smaller), given.data, given.turns, given.images)
        for name, subject in SUBJECTS.items()
    }
    accuracies = {
        f"{name}_{seconds}s": accuracy(subject, seconds, data, given.seeds)
        for name, subject in SUBJECTS.items()
        for seconds in subject.networks
    }
    report(
        given,
        {
            "same_resolution_ratio": min(each["same_resolution_ratio"] for each in speeds.values()),
            "progressive_ratio": min(each["progressive_ratio"] for each in speeds.values()),
            "accuracy": {name: each["accuracy"] for name, each in accuracies.items()},
            "throughput": speeds,
            "trainings": accuracies,
        },
    )


def speed(
    subject: Subject, sizes: tuple[Dataset, Dataset], folder: Path, turns: int, images: int
) -> dict[str, Any]:
    """Images per CPU second of both loops, medians; ratios of turns beside each other, medians."""
    ways = {
        "same_resolution": (sizes[0], recipe(1, progressive=1.0, batch_size=PLAIN_BATCH)),
        "progressive": (sizes[1], recipe(3, progressive=2 / 3, batch_size=PLAIN_BATCH)),
        "growing_to_32": (sizes[0], recipe(3, batch_size=PLAIN_BATCH)),
    }
    rates: dict[str, list[float]] = {name: [] for name in ("plain", *ways)}
    with seconds_elsewhere(plain_process, subject.blueprint, folder) as plain_seconds:
        for _ in range(turns):
            rates["plain"].append(images / plain_seconds(images))
            for name, (data, words) in ways.items():
                short = some(data.train, images)
                start = time.process_time()
                trained(subject.blueprint, words, short, data, 0, subject.bfloat16)
                rates[name].append(words.epochs * images / (time.process_time() - start))
    of_plain = np.array(rates["plain"])
    return {
        **{f"{name}_images_per_s": round(statistics.median(own)) for name, own in rates.items()},
        **{f"{name}_ratio": round(float(np.median(rates[name] / of_plain)), 2) for name in ways},
        **count_of(subject.blueprint),
    }


def accuracy(subject: Subject, seconds: int, data: Dataset, seeds: int) -> dict[str, Any]:
    """Of the test images, by trainings that differ in their seed."""
    blueprint = subject.networks[seconds]
    epochs, images = fitting(subject, seconds, data)
    words, split = quick_recipe(epochs), some(data.train, images)
    found, spent = [], []
    for seed in range(seeds):
        start = time.process_time()
        net = trained(blueprint, words, split, data, seed, subject.bfloat16)
        spent.append(round(time.process_time() - start, 1))
        found.append(evaluate(net, data.test, data.problem, words)["accuracy"])
    return {
        "accuracy": round(statistics.mean(found), 4),
        "each": found,
        "cpu_seconds": spent,
        "epochs": epochs,
        "images": images,
        **count_of(blueprint),
    }


def fitting(subject: Subject, seconds: int, data: Dataset) -> tuple[int, int]:
    """Epochs and images of a training that takes so long here, told by one of few images."""
    few = some(data.train, FEW)
    words = quick_recipe(3)  # one of each resolution
    for _ in range(2):  # the first one also chooses how to convolve
        start = time.process_time()
        trained(subject.networks[seconds], words, few, data, 0, subject.bfloat16)
        spent = time.process_time() - start
    seen = words.epochs * FEW / spent * seconds * FILLED
    epochs = max(1, round(seen / len(data.train)))
    return epochs, min(len(data.train), int(seen / epochs))


def some(split: Split, images: int) -> Split:
    """So many of all classes."""
    chosen = np.random.default_rng(0).permutation(len(split))[:images]
    return split.part(chosen)


def trained(
    blueprint: Blueprint,
    words: TrainingSettings,
    split: Split,
    data: Dataset,
    seed: int,
    bfloat16: bool,
) -> nn.Module:
    scale = replace(SCALE, resolution_px=split.images.shape[2])
    net = build(blueprint, scale, seed)
    train(net, split, data.problem, words, seed, bfloat16=bfloat16)
    return net


def count_of(blueprint: Blueprint) -> dict[str, int]:
    found = count(plan_network(blueprint, SCALE))
    return {"parameters": found.parameters, "macs": found.macs}


class ImageFiles(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
    """Image files of a folder a class, varied and normalised one by one."""

    def __init__(self, folder: Path) -> None:
        classes = sorted(each.name for each in folder.iterdir() if each.is_dir())
        self.files = [
            (file, label)
            for label, name in enumerate(classes)
            for file in sorted((folder / name).iterdir())
        ]
        self.mean = torch.tensor([0.4914, 0.4822, 0.4465])[:, None, None]
        self.deviation = torch.tensor([0.2470, 0.2435, 0.2616])[:, None, None]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        file, label = self.files[index]
        with Image.open(file) as image:
            pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1) / 255
        padded = nn.functional.pad(pixels, (4, 4, 4, 4))
        top, left = torch.randint(9, (2,)).tolist()
        cropped = padded[:, top : top + 32, left : left + 32]
        if torch.rand(()) < 0.5:
            cropped = cropped.flip(2)
        return (cropped - self.mean) / self.deviation, label


def plain_process(asked: Connection, blueprint: Blueprint, folder: Path) -> None:
    torch.set_num_threads(1)
    loop = PlainLoop(blueprint, folder)
    while images := asked.recv():
        start = time.process_time()
        loop.train(images)
        asked.send(time.process_time() - start)


class PlainLoop:
    """A training loop without any trick; goes on where it was."""

    def __init__(self, blueprint: Blueprint, folder: Path) -> None:
        self.network = build(blueprint, SCALE, seed=0)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.1, momentum=0.9)
        loader = torch.utils.data.DataLoader(
            ImageFiles(folder / "train"), batch_size=PLAIN_BATCH, shuffle=True
        )
        self.batches = self._for_ever(loader)

    def _for_ever(self, loader: Any) -> Iterator[Any]:
        while True:
            yield from loader

    def train(self, images: int) -> None:
        """Goes on for so many images."""
        self.network.train()
        for pictures, labels in islice(self.batches, images // PLAIN_BATCH):
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.network(pictures), labels)
            torch.autograd.backward(loss)
            self.optimizer.step()
            loss.item()


if __name__ == "__main__":
    main()
