"""Blueprint to torch module: `plan` says which layers, `build` makes them, `count` weighs them."""

from evonas.models.build import build, initialise, plan_network
from evonas.models.check import check_space
from evonas.models.count import Count, LayerCount, count, count_layers, network_macs
from evonas.models.plan import Layer, Network, Plan

__all__ = [
    "Count",
    "Layer",
    "LayerCount",
    "Network",
    "Plan",
    "build",
    "check_space",
    "count",
    "count_layers",
    "initialise",
    "network_macs",
    "plan_network",
]
