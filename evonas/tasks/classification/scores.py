"""How many images are classified rightly."""

import math

import numpy as np
import torch
from torch.nn import functional

from evonas.settings import TrainingSettings
from evonas.tasks.classification import NEAR
from evonas.tasks.task import LOSS, Batches


def classification_scores(batches: Batches, recipe: TrainingSettings) -> dict[str, float]:
    """Accuracies and loss (see `Classification`) of logits (batch, classes) and their classes."""
    labels, are_right, are_near, losses = [], [], [], []
    for (logits,), targets in batches:
        logits = of_both(logits) if recipe.flip_test else logits
        labels.append(targets)
        are_right.append(logits.argmax(1) == targets)
        are_near.append(_rank(logits, targets) < NEAR)
        losses.append(functional.cross_entropy(logits, targets, reduction="sum").double())
    classes, is_right, is_near = (
        torch.cat(parts).cpu().numpy() for parts in (labels, are_right, are_near)
    )
    hits, counts = np.bincount(classes[is_right]), np.bincount(classes)
    hits = np.pad(hits, (0, len(counts) - len(hits)))
    return {
        "accuracy": is_right.sum().item() / len(classes),
        "balanced_accuracy": float((hits[counts > 0] / counts[counts > 0]).mean()),
        "top5_accuracy": is_near.sum().item() / len(classes),
        LOSS: float(sum(losses)) / len(classes),
    }


def of_both(logits: torch.Tensor) -> torch.Tensor:
    """Logs of the mean probabilities of each image and its mirror image, (images, classes).

    Args:
        logits: (2 x images, classes), of the images and then of their mirror images.
    """
    one, other = logits.log_softmax(1).chunk(2)
    return torch.logaddexp(one, other) - math.log(2)


def _rank(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """How many classes come before an image's own, (batch,); the first of equal ones does."""
    own = logits.gather(1, labels[:, None])
    comes_first = torch.arange(logits.shape[1], device=logits.device) < labels[:, None]
    return ((logits > own) | ((logits == own) & comes_first)).sum(1)
