"""Fresh weights from a seed, by one of several schemes."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import nn

from evonas.registry import pick


def he_deviation(fan_in: float, fan_out: float) -> float:
    """Deviation that keeps gradients' variance under ReLU: sqrt(2 / fan_out).

    arXiv 1502.01852, eq. 14.
    """
    return math.sqrt(2 / fan_out)


def xavier_deviation(fan_in: float, fan_out: float) -> float:
    """Deviation between what keeps maps' and gradients' variance: sqrt(2 / (fan_in + fan_out)).

    Glorot and Bengio 2010 (AISTATS), eq. 12.
    """
    return math.sqrt(2 / (fan_in + fan_out))


def selu_deviation(fan_in: float, fan_out: float) -> float:
    """Deviation that SELU's fixed point asks for: sqrt(1 / fan_in).

    arXiv 1706.02515, section 2, "Initialization".
    """
    return math.sqrt(1 / fan_in)


# Name to a function (fan_in, fan_out) to a convolution's standard deviation.
INITIALISATIONS: Mapping[str, Callable[[float, float], float]] = {
    "he": he_deviation,
    "xavier": xavier_deviation,
    "selu": selu_deviation,
}


def initialise(network: nn.Module, seed: int, scheme: str = "he") -> None:
    """Fresh weights that depend on seed and scheme alone.

    Convolutions: normal with the scheme's deviation, where fan_in counts the inputs that one
    output sees and fan_out the outputs that one input reaches, so that both shrink with the
    groups. By every scheme alike: linear layers normal with deviation 0.01, norms identity,
    PReLU slopes 0.25 (arXiv 1502.01852, section 2.1), biases zero.

    Args:
        scheme: A name in `INITIALISATIONS`.

    Raises:
        UnknownName: There is no such scheme.
    """
    deviation = pick(INITIALISATIONS, scheme, "initialisation")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            _initialise_module(module, deviation, generator)


def _initialise_module(
    module: nn.Module, deviation: Callable[[float, float], float], generator: torch.Generator
) -> None:
    if isinstance(module, nn.Conv2d):
        fan_in = module.weight[0].numel()
        fan_out = module.weight[:, 0].numel() / module.groups
        nn.init.normal_(module.weight, std=deviation(fan_in, fan_out), generator=generator)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01, generator=generator)
    elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
        module.reset_parameters()
    elif isinstance(module, nn.PReLU):
        nn.init.constant_(module.weight, 0.25)
    if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
