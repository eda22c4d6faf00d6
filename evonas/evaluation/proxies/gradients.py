"""How strongly the first step of a training pulls at a network."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from evonas.evaluation.proxies.copies import weights, working_copy


def grad_norm(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The sum over convolutions and linear layers of the gradient's Euclidean norm.

    Abdelfattah et al. 2021, arXiv 2101.08134, section 3.2. At least 0; 0 where no gradient flows
    and where it overflows: such a network does not train.
    """
    return _summed(network, images, labels, lambda weight, gradient: gradient.norm())


def snip(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The sum over all weights of |theta x dL / dtheta|, their saliency.

    Lee et al. 2019, arXiv 1810.02340, equation 6, not normalised and summed as in Abdelfattah
    et al. 2021, arXiv 2101.08134, equation 1. Range as of `grad_norm`.
    """
    return _summed(
        network, images, labels, lambda weight, gradient: (weight * gradient).abs().sum()
    )


def _summed(
    network: nn.Module, images: Tensor, labels: Tensor, worth: Callable[[Tensor, Tensor], Tensor]
) -> float:
    """The worth of each weight tensor and its gradient of the cross-entropy, summed."""
    worked = working_copy(network)
    own = weights(worked)
    loss = nn.functional.cross_entropy(worked(images), labels)
    gradients = torch.autograd.grad(loss, own, allow_unused=True)
    pairs = zip(own, gradients, strict=True)
    total = sum(float(worth(w.detach(), g)) for w, g in pairs if g is not None)
    return total if math.isfinite(total) else 0.0
