"""Torch modules: what a plan is built of, and what running them on the meta device tells."""

from evonas.models.build import build
from evonas.models.count import Count, LayerCount, count, count_layers, network_macs
from evonas.models.initialise import initialise
from evonas.models.network import Network, deployed, learning, with_plan

__all__ = [
    "Count",
    "LayerCount",
    "Network",
    "build",
    "count",
    "count_layers",
    "deployed",
    "initialise",
    "learning",
    "network_macs",
    "with_plan",
]
