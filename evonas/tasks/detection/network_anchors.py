"""The anchors of a network: set before a training, and read after it."""

from collections.abc import Iterator
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from evonas.errors import SettingsError
from evonas.settings import TrainingSettings
from evonas.tasks.detection.anchor_fitting import fitted_anchors, sizes_of


def set_anchors(network: nn.Module, targets: NDArray[Any], recipe: TrainingSettings) -> None:
    """Those of the recipe, or where it names none those that fit the boxes of the targets.

    Without boxes the network keeps what it has, and so does one without anchors.

    Raises:
        SettingsError: The recipe has more or fewer than the network.
    """
    sizes = sizes_of(targets)
    for buffer in _buffers(network):
        levels, number, _ = buffer.shape
        anchors = recipe.anchors
        if anchors is None and len(sizes):
            anchors = tuple(map(tuple, fitted_anchors(sizes, levels * number).tolist()))
        if anchors is None:
            continue
        if len(anchors) != levels * number:
            raise SettingsError(
                f"training.anchors has {len(anchors)} anchors, and the head has "
                f"{levels * number}: {number} for each of {levels} levels. Write as many, the "
                "smallest first, or leave it out: then they are found."
            )
        with torch.no_grad():
            buffer.copy_(torch.tensor(anchors).reshape(buffer.shape))


def anchors_of(network: nn.Module) -> tuple[tuple[float, float], ...] | None:
    """Width and height of each in px, the finest level's first; None: it has none."""
    for buffer in _buffers(network):
        rows = buffer.flatten(0, 1).double().round(decimals=2).tolist()
        return tuple((width, height) for width, height in rows)
    return None


def _buffers(network: nn.Module) -> Iterator[torch.Tensor]:
    """Modules say by `role` what they are, also those of a model.py."""
    for module in network.modules():
        if getattr(module, "role", None) == "anchors":
            yield module.get_buffer("anchors")
