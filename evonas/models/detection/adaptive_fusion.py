"""Maps of several levels as one, with shares that each pixel has of its own."""

import torch
from torch import nn

from evonas.models.detection.pyramid import cut_alike
from evonas.models.layers import ConvNormActivation

COMPRESSED = 16  # channels that tell how much a map counts


class AdaptiveFusion(nn.Module):
    """Adaptive spatial feature fusion (ASFF, arXiv 1911.09516, equations 1 and 2).

    `terms` maps (batch, channels, h, w) to one of the same shape: their sum, to which each pixel of
    each map counts with a share. The shares of a pixel are a softmax over the maps, of numbers that
    1x1 convolutions make of all of them.
    """

    role = "fusion"

    def __init__(self, channels: int, terms: int, activation: str, norm: str = "batch") -> None:
        super().__init__()
        self.compress = nn.ModuleList(
            ConvNormActivation(channels, COMPRESSED, 1, activation=activation, norm=norm)
            for _ in range(terms)
        )
        self.weigh = nn.Conv2d(COMPRESSED * terms, terms, 1)

    def forward(self, *maps: torch.Tensor) -> torch.Tensor:
        """The fused map."""
        terms = cut_alike(maps)
        seen = [layer(term) for layer, term in zip(self.compress, terms, strict=True)]
        shares = self.weigh(torch.cat(seen, 1)).softmax(1)
        total: torch.Tensor = terms[0] * shares[:, :1]
        for place, term in enumerate(terms[1:], 1):
            total = total + term * shares[:, place : place + 1]
        return total
