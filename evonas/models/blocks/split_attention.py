"""Split attention: a convolution in several versions, weighed against each other."""

import torch
from torch import nn

from evonas.models.activations import ACTIVATIONS
from evonas.models.layers import ConvNormActivation
from evonas.models.norms import NORMS


class SplitAttention(nn.Module):
    """Several convolutions of the same maps, summed with weights for each channel (ResNeSt).

    (batch, channels, h, w) to the same shape. arXiv 2004.08955, section 3.1: in each of `groups`
    groups (its cardinality) `radix` convolutions with norm and activation; from the means of their
    sum, two 1x1 convolutions give logits, and a softmax over the versions, or the sigmoid if there
    is one alone, gives the weights (equations 1 to 3).

    Args:
        channels: In whole groups of `groups` times `radix`.
        radix: Versions in each group, at least 1.
    """

    def __init__(
        self,
        channels: int,
        kernel: int,
        groups: int,
        radix: int,
        activation: str,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        versions = channels * radix
        hidden = hidden_channels(channels, groups, radix)
        self.groups, self.radix = groups, radix
        self.convolution = ConvNormActivation(
            channels, versions, kernel, groups=groups * radix, activation=activation, norm=norm
        )
        self.logits = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, groups=groups),
            NORMS[norm](hidden),
            ACTIVATIONS[activation](hidden),
            nn.Conv2d(hidden, versions, 1, groups=groups),
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        versions = self.convolution(maps).unflatten(1, (self.radix, -1))
        means = versions.mean((3, 4), keepdim=True).sum(1)
        logits = self.logits(means).unflatten(1, (self.groups, self.radix, -1)).transpose(1, 2)
        weights = logits.softmax(1) if self.radix > 1 else logits.sigmoid()
        out: torch.Tensor = (versions * weights.flatten(2, 3)).sum(1)
        return out


def hidden_channels(channels: int, groups: int, radix: int) -> int:
    """A quarter of all versions' channels, at least 32, in whole groups."""
    wanted = max(channels * radix // 4, 32)
    return -(-wanted // groups) * groups
