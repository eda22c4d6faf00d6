"""From a blueprint and a scale to a network."""

from evonas.blueprint import Blueprint, plan_network
from evonas.models.initialise import initialise
from evonas.models.network import Network
from evonas.networks import Scale


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
