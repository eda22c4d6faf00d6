"""From a blueprint and a scale to a network."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from evonas.blueprint import Blueprint
from evonas.models.plan import Network, Plan
from evonas.models.stages import plan_stages
from evonas.registry import pick
from evonas.space.scale import Scale, scaled_network

BUILDERS: Mapping[str, Callable[[Mapping[str, Any]], Plan]] = {
    "stages": plan_stages,
}


def plan_network(blueprint: Blueprint, scale: Scale) -> Plan:
    """The layers of the blueprint at this scale.

    Raises:
        BuildError: The strides leave nothing of the input.
    """
    network = scaled_network(blueprint, scale)
    return pick(BUILDERS, network["builder"], "builder")(network)


def build(blueprint: Blueprint, scale: Scale, seed: int | None = None) -> Network:
    """The network, on the current default device.

    Args:
        seed: Of the weights; None leaves torch's own initialisation and its global generator.

    Raises:
        BuildError: The strides leave nothing of the input.
    """
    network = Network(plan_network(blueprint, scale))
    if seed is not None:
        initialise(network, seed)
    return network


def initialise(network: nn.Module, seed: int) -> None:
    """Fresh weights that depend on the seed alone.

    Convolutions: normal with variance 2 / fan_out (He, arXiv 1502.01852, eq. 14), where fan_out
    counts the outputs that one input reaches, so it is divided by the groups; linear layers:
    normal with deviation 0.01, norms: identity, biases: zero.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.weight[:, 0].numel() / module.groups
                nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out), generator=generator)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01, generator=generator)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
