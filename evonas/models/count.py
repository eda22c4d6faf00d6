"""Parameters and multiply-adds, counted without memory or time for the real thing."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from evonas.models.plan import Network, Plan


@dataclass(frozen=True)
class Count:
    """`parameters`: trainable numbers. `macs`: multiply-adds of one image."""

    parameters: int
    macs: int


def count(plan: Plan) -> Count:
    """Counts on the meta device: exact, a few milliseconds, no weights in memory."""
    with torch.device("meta"):
        network = Network(plan)
        images = torch.empty(1, *plan.input_shape)
    return Count(sum(p.numel() for p in network.parameters()), _macs(network, images))


def network_macs(network: nn.Module, input_shape: tuple[int, int, int]) -> int:
    """Multiply-adds of one image of (channels, height, width) through any network."""
    images = torch.empty(1, *input_shape, device="meta")
    return _macs(copy.deepcopy(network).to("meta"), images)


def _macs(network: nn.Module, images: torch.Tensor) -> int:
    """Multiply-adds of one forward pass; leaves `network` unfit for anything else."""
    total = 0

    def add(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            weights_per_output = module.weight[0].numel()
            total += weights_per_output * output.shape[1:].numel()
        elif isinstance(module, nn.Linear):
            total += module.in_features * module.out_features

    for module in network.modules():
        module.register_forward_hook(add)
        if isinstance(module, nn.BatchNorm2d):
            # Shapes pass through it unchanged, and its meta kernel is by far the slowest.
            module.forward = nn.Identity().forward  # type: ignore[method-assign]
    with torch.no_grad():
        network(images)
    return total
