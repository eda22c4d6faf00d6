"""Images per second of trainings on a GPU: one, several on the same device, and a plain loop.

The residual network of `training_speed.py` at 32 px, on images made of noise, which train as fast
as any. A training is a process of its own, as a worker of a search is; of several, the throughput
is that of all together while all of them train. The plain loop takes a batch of 32-bit numbers at
a time from the memory of the computer. Without a GPU the record says that the figures are missing.
"""

import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from record import parser, report
from torch import nn
from training_speed import RESIDUAL, SCALE, recipe

from evonas.data.dataset import Split
from evonas.models import build
from evonas.networks.problem import Problem
from evonas.training import train

MISSING = "no CUDA device here: images per second on a GPU are not measured"


@dataclass(frozen=True)
class Task:
    """Trainings of one process: one to warm up, then those whose epochs are counted."""

    device: str
    images: int
    epochs: int
    seed: int


@dataclass(frozen=True)
class Span:
    """When the counted epochs were trained, on the clock that all processes share."""

    start: float
    end: float


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--device", help="cuda if there is one; cpu tries the script out")
    words.add_argument("--images", type=int, default=51_200, help="of an epoch (%(default)s)")
    words.add_argument("--epochs", type=int, default=10, help="counted ones (%(default)s)")
    words.add_argument("--packed", default="2,4,8", help="trainings at a time (%(default)s)")
    given = words.parse_args()
    given.device = given.device or ("cuda" if torch.cuda.is_available() else None)
    report(given, {"missing": MISSING} if given.device is None else measured(given))


def measured(given: Namespace) -> dict[str, Any]:
    name = torch.cuda.get_device_name() if given.device == "cuda" else given.device
    packed = [int(count) for count in given.packed.split(",")]
    return {
        "device": name,
        "plain_images_per_s": round(together([plain], given)),
        "images_per_s": round(together([resident], given)),
        "packed_images_per_s": {n: round(together([resident] * n, given)) for n in packed},
    }


def together(trainings: Sequence[Callable[[Task], Span]], given: Namespace) -> float:
    """Images per second of all, from when the last begins to count to when the first ends."""
    with ProcessPoolExecutor(len(trainings), get_context("spawn")) as pool:
        running = [
            pool.submit(training, Task(given.device, given.images, given.epochs, seed))
            for seed, training in enumerate(trainings)
        ]
        spans = [each.result() for each in running]
    shared = min(span.end for span in spans) - max(span.start for span in spans)
    if shared <= 0:
        raise SystemExit("The trainings did not overlap. Say more --epochs.")
    return float(sum(given.epochs * given.images / (span.end - span.start) for span in spans))


def resident(task: Task) -> Span:
    """By the trainer of a search: images lie on the device, bfloat16."""
    rng = np.random.default_rng(task.seed)
    pixels = rng.integers(0, 256, (task.images, 3, 32, 32), dtype=np.uint8)
    split = Split(pixels, rng.integers(0, 10, task.images))
    network = build(RESIDUAL, SCALE, seed=task.seed)
    classes = tuple(map(str, range(10)))
    problem = Problem("classification", 3, classes, (0.5, 0.5, 0.5), (0.3, 0.3, 0.3))

    def epochs(count: int) -> None:
        words = recipe(count, progressive=1.0, batch_size=512)
        train(network, split, problem, words, 0, torch.device(task.device), bfloat16=True)

    return timed(epochs, task)


def plain(task: Task) -> Span:
    """A loop without any trick: batches of a data loader, 32-bit numbers, one learning rate."""
    images = torch.rand(task.images, 3, 32, 32)
    pairs = torch.utils.data.TensorDataset(images, torch.randint(10, (task.images,)))
    loader = torch.utils.data.DataLoader(pairs, batch_size=512, shuffle=True)
    network = build(RESIDUAL, SCALE, seed=task.seed).to(task.device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)

    def epochs(count: int) -> None:
        for _ in range(count):
            for batch, labels in loader:
                optimizer.zero_grad()
                logits = network(batch.to(task.device))
                loss = nn.functional.cross_entropy(logits, labels.to(task.device))
                torch.autograd.backward(loss)
                optimizer.step()

    return timed(epochs, task)


def timed(epochs: Callable[[int], None], task: Task) -> Span:
    """After one epoch to warm up."""
    epochs(1)
    waited(task.device)
    start = time.monotonic()  # the same clock in all processes of a Linux machine
    epochs(task.epochs)
    waited(task.device)
    return Span(start, time.monotonic())


def waited(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
