"""Cross-entropy, how much the images of a class count in it, and the loss of a student."""

import numpy as np
import torch
from torch.nn import functional

from evonas.data.dataset import Targets


def classification_loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    label_smoothing: float,
    class_weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean cross-entropy; with weights, each image's counts as much as its class does.

    An image that is mixed of two counts for either class as much as that is in it, and smoothing
    spreads the weight that an image has over all classes.

    Args:
        logits: (batch, classes).
        targets: Labels (batch,), or shares of classes (batch, classes).
        class_weights: (classes,).
    """
    if class_weights is None:
        return functional.cross_entropy(logits, targets, label_smoothing=label_smoothing)
    classes = logits.shape[1]
    shares = functional.one_hot(targets, classes) if targets.dim() == 1 else targets
    weighted = shares * class_weights
    weights = weighted.sum(1, keepdim=True)
    smooth = (1 - label_smoothing) * weighted + label_smoothing / classes * weights
    return functional.cross_entropy(logits, smooth)


def soft_loss(logits: torch.Tensor, taught: torch.Tensor, temperature: float) -> torch.Tensor:
    """T² KL(softmax(taught / T) || softmax(logits / T)), the mean over the images.

    Hinton et al. 2015, arXiv 1503.02531, section 2. Both (batch, classes).
    """
    own, wanted = ((each / temperature).log_softmax(1) for each in (logits, taught))
    return temperature**2 * functional.kl_div(own, wanted, reduction="batchmean", log_target=True)


def balanced_weights(labels: Targets, classes: int) -> torch.Tensor:
    """Weights (classes,) whose mean over the images is 1: n / (k nᵢ) for class i of k, of n images.

    So all classes weigh the same together (King and Zeng 2001, Logistic Regression in Rare Events
    Data, section 4.2). A class without images weighs nothing.

    >>> balanced_weights(np.array([0, 0, 0, 1]), 2)
    tensor([0.6667, 2.0000])
    """
    counts = np.bincount(labels, minlength=classes)
    weights = len(labels) / (classes * np.maximum(counts, 1)) * (counts > 0)
    return torch.from_numpy(weights.astype(np.float32))
