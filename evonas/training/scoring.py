"""How well a network does on images that it does not learn from."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from evonas.data.dataset import Split
from evonas.errors import TrialFailure
from evonas.training.normalisation import Normalisation

BATCH = 256


@dataclass(frozen=True)
class Scores:
    """`accuracy`: share of images classified rightly. `loss`: mean cross-entropy."""

    accuracy: float
    loss: float


@torch.no_grad()
def evaluate(
    network: nn.Module,
    split: Split,
    normalisation: Normalisation,
    device: torch.device | None = None,
) -> Scores:
    """Accuracy and loss on a split, in evaluation mode, in float32.

    Raises:
        TrialFailure: The network gives something that is not finite (`diverged`).
    """
    device = device or torch.device("cpu")
    network.eval()
    right = torch.zeros((), dtype=torch.long, device=device)
    total = torch.zeros((), dtype=torch.double, device=device)
    for start in range(0, len(split), BATCH):
        images = torch.from_numpy(split.images[start : start + BATCH])
        labels = torch.from_numpy(split.labels[start : start + BATCH].copy()).to(device)
        logits = network(normalisation.apply(images.to(device))).float()
        right += (logits.argmax(1) == labels).sum()
        total += nn.functional.cross_entropy(logits, labels, reduction="sum")
    loss = total.item() / len(split)
    if not math.isfinite(loss):
        raise TrialFailure("diverged", "the trained network gives values that are not finite")
    return Scores(right.item() / len(split), loss)
