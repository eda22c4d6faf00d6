"""How much can flow through a network, whatever the images."""

import torch
from torch import Tensor, nn

from evonas.evaluation.proxies.copies import (
    ACTIVATION_TYPES,
    NORM_TYPES,
    LossOf,
    safe_log,
    summed,
    working_copy,
)

GATES = (nn.Sigmoid, nn.Hardsigmoid)  # they weigh what passes, and pass on nothing of their own


def synflow(network: nn.Module, images: Tensor, loss_of: LossOf) -> float:
    """The logarithm of the sum of |theta x dR / dtheta|, R the summed outputs of an image of 1s.

    Tanaka et al. 2020, arXiv 2006.05467, equation 5. Weights are absolute; norms are left out and
    activations are the identity, which ReLU is where nothing is negative (ReLU6 would cut off).
    In double precision. -708 for a network that nothing flows through.
    """
    linear = working_copy(network).double()
    _without(linear, set(NORM_TYPES) | (set(ACTIVATION_TYPES) - set(GATES)))
    with torch.no_grad():
        for parameter in linear.parameters():
            parameter.abs_()
    summed(linear(torch.ones_like(images[:1], dtype=torch.float64))).backward()  # type: ignore[no-untyped-call]
    flows = [
        float((parameter.detach() * parameter.grad).sum())
        for parameter in linear.parameters()
        if parameter.grad is not None
    ]
    return safe_log(sum(flows))


def _without(network: nn.Module, kinds: set[type[nn.Module]]) -> None:
    """Puts the identity in place of modules of these kinds."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, tuple(kinds)):
                setattr(module, name, nn.Identity())
