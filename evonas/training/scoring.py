"""How well a network does on images that it does not learn from."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from evonas.data.dataset import Split
from evonas.errors import TrialFailure
from evonas.tasks.normalisation import Normalisation

BATCH = 256
NEAR = 5  # classes that `top5_accuracy` looks at


@dataclass(frozen=True)
class Scores:
    """`accuracy`: share of images classified rightly. `loss`: mean cross-entropy.

    `balanced_accuracy`: that share in each class, and the mean of these: 1 / classes by chance,
    however unequal classes are. Classes without images do not count. `top5_accuracy`: share of
    images whose class is among the five most likely.
    """

    accuracy: float
    loss: float
    balanced_accuracy: float
    top5_accuracy: float


@torch.no_grad()
def evaluate(
    network: nn.Module,
    split: Split,
    normalisation: Normalisation,
    device: torch.device | None = None,
) -> Scores:
    """Accuracies and loss on a split, in evaluation mode, in float32.

    Raises:
        TrialFailure: The network gives something that is not finite (`diverged`).
    """
    device = device or torch.device("cpu")
    network.eval()
    right = torch.zeros((), dtype=torch.long, device=device)
    near = torch.zeros_like(right)
    rights: list[torch.Tensor] = []
    total = torch.zeros((), dtype=torch.double, device=device)
    for start in range(0, len(split), BATCH):
        images = torch.from_numpy(split.images[start : start + BATCH])
        labels = torch.from_numpy(split.labels[start : start + BATCH].copy()).to(device)
        logits = network(normalisation.apply(images.to(device))).float()
        is_right = logits.argmax(1) == labels
        rights.append(is_right)
        right += is_right.sum()
        near += (_rank(logits, labels) < NEAR).sum()
        total += nn.functional.cross_entropy(logits, labels, reduction="sum")
    loss = total.item() / len(split)
    if not math.isfinite(loss):
        raise TrialFailure("diverged", "the trained network gives values that are not finite")
    count, is_right = len(split), torch.cat(rights).cpu().numpy()
    hits, counts = np.bincount(split.labels[is_right]), np.bincount(split.labels)
    hits = np.pad(hits, (0, len(counts) - len(hits)))
    balanced = float((hits[counts > 0] / counts[counts > 0]).mean())
    return Scores(right.item() / count, loss, balanced, near.item() / count)


def _rank(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """How many classes come before an image's own, (batch,); the first of equal ones does."""
    own = logits.gather(1, labels[:, None])
    comes_first = torch.arange(logits.shape[1], device=logits.device) < labels[:, None]
    return ((logits > own) | ((logits == own) & comes_first)).sum(1)
