"""A block that sees small things sharply and their surroundings coarsely."""

from itertools import pairwise

import torch
from torch import nn

from evonas.models.activations import ACTIVATIONS
from evonas.models.layers import ConvNormActivation

DILATIONS = (1, 3, 5)
NARROWER = 8  # times less channels between a branch's 1x1 and its dilated convolution
SCALE = 0.1  # of what is added to the shortcut, as in Inception-ResNet


class ReceptiveFieldBlock(nn.Module):
    """Branches of growing kernels, each with a dilated 3x3 of growing reach (RFB).

    (batch, in_channels, h, w) to (batch, out_channels, h, w). Liu, Huang and Wang, arXiv
    1711.07767, figure 4a and section 3.2: in each branch a 1x1 convolution to fewer channels, then
    nothing, a 3x3 or two 3x3 in place of a 5x5, then a 3x3 of dilation 1, 3 or 5. All of them
    beside each other go through a 1x1 convolution, and are added to a shortcut of another.
    """

    def __init__(
        self, in_channels: int, out_channels: int, activation: str, norm: str = "batch"
    ) -> None:
        super().__init__()
        narrow = max(1, in_channels // NARROWER)
        wide = 2 * narrow
        steps = [[wide], [narrow, wide], [narrow, max(narrow, 3 * narrow // 2), wide]]
        self.branches = nn.ModuleList(
            nn.Sequential(
                ConvNormActivation(in_channels, step[0], 1, activation=activation, norm=norm),
                *(
                    ConvNormActivation(given, made, 3, activation=activation, norm=norm)
                    for given, made in pairwise(step)
                ),
                ConvNormActivation(wide, wide, 3, norm=norm, dilation=dilation),
            )
            for step, dilation in zip(steps, DILATIONS, strict=True)
        )
        self.mix = ConvNormActivation(len(steps) * wide, out_channels, 1, norm=norm)
        self.shortcut = ConvNormActivation(in_channels, out_channels, 1, norm=norm)
        self.activation = ACTIVATIONS[activation](out_channels)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, in_channels, h, w) to (batch, out_channels, h, w)."""
        mixed: torch.Tensor = self.mix(torch.cat([branch(maps) for branch in self.branches], 1))
        out: torch.Tensor = self.activation(self.shortcut(maps) + mixed * SCALE)
        return out
