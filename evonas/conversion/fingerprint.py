"""What a network computes, told by figures that know no names: equal for equal functions.

Every tensor is filled from its own shape alone, and so is the image, so that a network in any
program gives the same figures, in double precision, if it is the same: operations, their order,
activations, skips, poolings and constants. Tensors of one shape are filled alike: figures do not
tell which of them is where.
"""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Fingerprint:
    """Of the outputs for one image of so many px a side: their sum, and their length."""

    side_px: int
    sum: float
    length: float

    def agrees(self, other: "Fingerprint", tolerance: float = 1e-8) -> bool:
        """True if both figures are the same but for rounding, relative to the length."""
        least = tolerance * max(abs(self.length), 1e-30)
        return abs(self.sum - other.sum) <= least and abs(self.length - other.length) <= least


def fingerprint(network: nn.Module, side_px: int, channels: int = 3) -> Fingerprint:
    """That of a network, whose weights are other ones afterwards, in double precision."""
    values = 8 * (2 * uniform(channels * side_px**2) - 1)
    with torch.no_grad():
        outputs = filled(network)(values.view(1, channels, side_px, side_px))
    first = outputs if isinstance(outputs, torch.Tensor) else outputs[0]
    return Fingerprint(side_px, first.sum().item(), first.norm().item())


def uniform(count: int) -> torch.Tensor:
    """A hash of 1..count in [0, 1), float64 (count,), in exact integer arithmetic."""
    x = torch.arange(1, count + 1, dtype=torch.int64) & 0xFFFFFFFF
    for _ in range(2):
        x = ((x >> 16) ^ x) * 0x45D9F3B & 0xFFFFFFFF
    return ((x >> 16) ^ x).double() / 2**32


def filled(network: nn.Module) -> nn.Module:
    """The network with every tensor from its own shape, in double precision and evaluation mode."""
    for module in network.double().eval().modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            weight = module.weight
            bound = (6 / weight[0].numel()) ** 0.5
            weight.data.copy_(((2 * uniform(weight.numel()) - 1) * bound).view_as(weight))
            if module.bias is not None:
                module.bias.data.copy_((uniform(module.bias.numel()) - 0.5) * 0.2)
        elif isinstance(module, nn.BatchNorm2d):
            hashed = uniform(module.num_features)
            if module.affine:
                module.weight.data.copy_(1 + (hashed - 0.5) * 0.2)
                module.bias.data.copy_((hashed.flip(0) - 0.5) * 0.2)
            module.reset_running_stats()
    return network
