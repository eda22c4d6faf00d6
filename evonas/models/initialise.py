"""Fresh weights from a seed, by one of several schemes."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import nn

from evonas.networks.grammar import DEFAULTS
from evonas.registry import pick


def he_deviation(layer: nn.Conv2d) -> float:
    """Deviation that keeps gradients' variance under ReLU: sqrt(2 / fan_out).

    arXiv 1502.01852, eq. 14.
    """
    return math.sqrt(2 / _fan_out(layer))


def xavier_deviation(layer: nn.Conv2d) -> float:
    """Deviation between what keeps maps' and gradients' variance: sqrt(2 / (fan_in + fan_out)).

    Glorot and Bengio 2010 (AISTATS), eq. 12.
    """
    return math.sqrt(2 / (_fan_in(layer) + _fan_out(layer)))


def lecun_deviation(layer: nn.Conv2d) -> float:
    """Deviation that keeps maps' variance where nothing bends them: sqrt(1 / fan_in).

    LeCun et al. 1998, "Efficient BackProp", eq. 16; SELU's fixed point asks for it
    (arXiv 1706.02515, section 2, "Initialization").
    """
    return math.sqrt(1 / _fan_in(layer))


def auto_deviation(layer: nn.Conv2d) -> float:
    """LeCun's for a layer without a bias, as one that a norm follows has none; else He's.

    A norm takes the scale of a filter out: what is left of it is how fast the filter learns
    (arXiv 1706.05350). By LeCun's all filters begin with a norm of 1, so all learn equally fast.
    """
    return lecun_deviation(layer) if layer.bias is None else he_deviation(layer)


# Name to a function of a convolution to the standard deviation of its weights.
INITIALISATIONS: Mapping[str, Callable[[nn.Conv2d], float]] = {
    "auto": auto_deviation,
    "he": he_deviation,
    "xavier": xavier_deviation,
    "lecun": lecun_deviation,
}


def _fan_in(layer: nn.Conv2d) -> float:
    """The inputs that one output sees; the more groups, the fewer."""
    return layer.weight[0].numel()


def _fan_out(layer: nn.Conv2d) -> float:
    """The outputs that one input reaches; the more groups, the fewer."""
    return layer.weight[:, 0].numel() / layer.groups


def initialise(network: nn.Module, seed: int, scheme: str | None = None) -> None:
    """Fresh weights that depend on seed and scheme alone.

    Convolutions: normal with the scheme's deviation. By every scheme alike: linear layers normal
    with deviation 0.01, norms identity, PReLU slopes 0.25 (arXiv 1502.01852, section 2.1), biases
    zero; what says `first_deviation` and `first_bias` itself, a number or one for each channel, as
    it says.

    Args:
        scheme: A name in `INITIALISATIONS`; None is what a network means that names none.

    Raises:
        UnknownName: There is no such scheme.
    """
    deviation = pick(INITIALISATIONS, scheme or DEFAULTS["initialisation"], "initialisation")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            _initialise_module(module, deviation, generator)


def _initialise_module(
    module: nn.Module, deviation: Callable[[nn.Conv2d], float], generator: torch.Generator
) -> None:
    if isinstance(module, nn.Conv2d):
        own: float | None = getattr(module, "first_deviation", None)
        std = deviation(module) if own is None else own
        nn.init.normal_(module.weight, std=std, generator=generator)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01, generator=generator)
    elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
        module.reset_parameters()
    elif isinstance(module, nn.PReLU):
        nn.init.constant_(module.weight, 0.25)
    if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
        module.bias.copy_(torch.tensor(getattr(module, "first_bias", 0.0)))
