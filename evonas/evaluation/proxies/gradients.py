"""How strongly the first step of a training pulls at a network."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from evonas.evaluation.proxies.copies import LossOf, weights, working_copy
from evonas.tasks.task import outputs_of


def grad_norm(network: nn.Module, images: Tensor, loss_of: LossOf) -> float:
    """The sum over convolutions and linear layers of the gradient's Euclidean norm.

    Abdelfattah et al. 2021, arXiv 2101.08134, section 3.2. At least 0; 0 where no gradient flows
    and where it overflows: such a network does not train.
    """
    return _summed(network, images, loss_of, lambda weight, gradient: gradient.norm())


def snip(network: nn.Module, images: Tensor, loss_of: LossOf) -> float:
    """The sum over all weights of |theta x dL / dtheta|, their saliency.

    Lee et al. 2019, arXiv 1810.02340, equation 6, not normalised and summed as in Abdelfattah
    et al. 2021, arXiv 2101.08134, equation 1. Range as of `grad_norm`.
    """
    return _summed(
        network, images, loss_of, lambda weight, gradient: (weight * gradient).abs().sum()
    )


def _summed(
    network: nn.Module, images: Tensor, loss_of: LossOf, worth: Callable[[Tensor, Tensor], Tensor]
) -> float:
    """The worth of each weight tensor and its gradient of the loss, summed."""
    worked = working_copy(network)
    own = weights(worked)
    loss = loss_of(outputs_of(worked(images)))
    gradients = torch.autograd.grad(loss, own, allow_unused=True)
    pairs = zip(own, gradients, strict=True)
    total = sum(float(worth(w.detach(), g)) for w, g in pairs if g is not None)
    return total if math.isfinite(total) else 0.0
