"""From a blueprint and a scale to a network."""

from collections.abc import Callable, Mapping
from typing import Any

from evonas.blueprint import Blueprint, scaled_network
from evonas.models.cells import plan_cells
from evonas.models.chain import plan_chain
from evonas.models.initialise import initialise as initialise
from evonas.models.plan import Network, Plan
from evonas.models.stages import plan_stages
from evonas.networks import Scale
from evonas.registry import pick

BUILDERS: Mapping[str, Callable[[Mapping[str, Any]], Plan]] = {
    "stages": plan_stages,
    "cells": plan_cells,
    "chain": plan_chain,
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
        initialise(network, seed, blueprint.network.get("initialisation"))
    return network
