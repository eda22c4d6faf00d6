"""Numbers that all norms and activations of a network share, where it says other than usual."""

from torch import nn


def set_constants(
    network: nn.Module,
    norm_eps: float | None = None,
    norm_momentum: float | None = None,
    leaky_slope: float | None = None,
) -> None:
    """Sets them in every layer of the network that has them; None leaves what is there.

    Args:
        norm_eps: Added to the variance that batch and group norms divide by.
        norm_momentum: The share of a batch's statistics in those that a batch norm keeps.
        leaky_slope: What leaky ReLU multiplies numbers below 0 by.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.GroupNorm) and norm_eps is not None:
            module.eps = norm_eps
        if isinstance(module, nn.BatchNorm2d) and norm_momentum is not None:
            module.momentum = norm_momentum
        if isinstance(module, nn.LeakyReLU) and leaky_slope is not None:
            module.negative_slope = leaky_slope
