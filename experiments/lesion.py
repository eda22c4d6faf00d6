"""What a trained residual network loses with each of its blocks, beside one without skips.

A network is trained, then each residual block in turn passes on only what it adds its branch to,
and the others are as they were: "Residual networks behave like ensembles of relatively shallow
networks" (arXiv 1605.06431, section 4.1, figure 3). The plain network is the same one with
nothing to add branches to, trained alike; there a block is left out where its maps keep their
shape. Accuracies are means over `--seeds`, on the test images.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from record import report
from torch import nn
from trainings import checked, side_by_side, training_parser, words_of

from evonas.blueprint import Blueprint
from evonas.data.cache import load_data
from evonas.models import build
from evonas.models.blocks.residual_sum import ResidualSum
from evonas.models.layers import Block
from evonas.presets import preset
from evonas.space import Scale, load_space
from evonas.training import evaluate, train

WAYS = ("residual", "plain")


@dataclass(frozen=True)
class Task:
    """A training and what follows it."""

    words: tuple[str, ...]
    network: str
    width: float
    resolution_px: int
    way: str
    seed: int


def main() -> None:
    words = training_parser(__doc__, 5000, "training.epochs=20")
    words.add_argument(
        "--network",
        default="resnet20_cifar",
        help="a preset, or FILE.yaml: a space without genes (%(default)s)",
    )
    words.add_argument("--width", type=float, default=1.0, help="of its channels (%(default)s)")
    words.add_argument("--resolution", type=int, default=16, help="px of a side (%(default)s)")
    words.add_argument("--seeds", type=int, default=3, help="trainings a network (%(default)s)")
    given = words.parse_args()
    settings = words_of(given)
    size = (given.network, given.width, given.resolution)
    tasks = [Task(settings, *size, way, seed) for way in WAYS for seed in range(given.seeds)]
    found = side_by_side(lesions, tasks, given)
    report(given, summary(given, found))


def lesions(task: Task) -> dict[str, float]:
    """The accuracy without each block; that of the whole network under an empty name."""
    torch.set_num_threads(1)
    settings = checked(task.words).settings
    data = load_data(settings.data, task.resolution_px)
    blueprint, scale = network_of(task)
    scale = replace(scale, input_channels=data.problem.channels, classes=len(data.problem.classes))
    network = build(blueprint, scale, task.seed)
    blocks = residual_blocks(network)
    if task.way == "plain":
        blocks = {name: block for name, block in blocks.items() if keeps_shape(block)}
        cut_skips(network)
    train(network, data.train, data.problem, settings.training, task.seed)
    accuracies = {"": evaluate(network, data.test, data.problem, settings.training)["accuracy"]}
    for name in blocks:
        with without(network, name):
            accuracies[name] = evaluate(network, data.test, data.problem, settings.training)[
                "accuracy"
            ]
    return accuracies


def network_of(task: Task) -> tuple[Blueprint, Scale]:
    """A published network, or the one of a space without genes."""
    if task.network.endswith(".yaml"):
        space = load_space(task.network)
        blueprint, scale = space.decode(()), space.scales["full"]
    else:
        found = preset(task.network)
        blueprint, scale = found.blueprint, found.scale
    return blueprint, replace(scale, width=task.width, resolution_px=task.resolution_px)


def residual_blocks(network: nn.Module) -> dict[str, Block | ResidualSum]:
    """All that add a branch to what they are given, by the names of their weights."""
    return {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, Block | ResidualSum) and adds(module)
    }


def keeps_shape(block: Block | ResidualSum) -> bool:
    """Whether the network can do without the block when it has no skip."""
    return isinstance(block, Block) or block.shortcut is None


def adds(block: nn.Module) -> bool:
    """Whether a block's branch is added to something, now that skips may have been cut."""
    if isinstance(block, Block):
        return block.skip
    return isinstance(block, ResidualSum) and not isinstance(block.shortcut, Nothing)


class Nothing(nn.Module):
    """Zero, which changes no sum."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Any maps to a number that is added to each pixel."""
        return maps.new_zeros(())


def cut_skips(network: nn.Module) -> None:
    """Leaves the branches of residual blocks alone, without anything to add them to."""
    for block in residual_blocks(network).values():
        if isinstance(block, Block):
            block.skip = False
        else:
            block.shortcut = Nothing()


@contextmanager
def without(network: nn.Module, name: str) -> Iterator[None]:
    """Leaves a block out: its branch adds nothing, or without skip, maps pass by it."""
    block = network.get_submodule(name)
    branch = "layers" if isinstance(block, Block) else "branch"
    place = f"{name}.{branch}" if adds(block) else name
    whole = network.get_submodule(place)
    network.set_submodule(place, Nothing() if adds(block) else nn.Identity())
    try:
        yield
    finally:
        network.set_submodule(place, whole)


def summary(given: argparse.Namespace, found: list[dict[str, float]]) -> dict[str, Any]:
    """Means and deviations of both networks, block by block."""
    result: dict[str, Any] = {
        key: getattr(given, key) for key in ("network", "width", "resolution", "subset", "seeds")
    }
    for index, way in enumerate(WAYS):
        runs = found[index * given.seeds : (index + 1) * given.seeds]
        names = list(runs[0])
        accuracies = np.array([[run[name] for name in names] for run in runs])  # (seeds, blocks)
        means = accuracies.mean(0).round(4).tolist()
        lost = accuracies[:, :1] - accuracies[:, 1:]
        result[way] = {
            "whole": means[0],
            "each_whole": accuracies[:, 0].round(4).tolist(),
            "without": dict(zip(names[1:], means[1:], strict=True)),
            "median_loss": round(float(np.median(lost)), 4),
            "largest_loss": round(float(lost.mean(0).max()), 4),
        }
    return result


if __name__ == "__main__":
    main()
