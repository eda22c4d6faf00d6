"""The block of dual path networks: residual and dense at once."""

from typing import Any

import torch
from torch import nn

from evonas.models.layers import NormActivationConv
from evonas.models.memory_order import split_channels


class DualPath(nn.Module):
    """Adds to the first channels of its maps, and concatenates new ones to the others.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)). DPN,
    arXiv 1707.01629, equations 9-11 and figure 2d: 1x1, grouped and 1x1 convolution, each behind
    norm and activation. Of what the last one gives, the first `residual` channels are added and
    `growth` are concatenated. The first block of a stage, known by its
    out_channels = residual + 3 * growth, projects what it is given to both paths.

    Args:
        residual: Channels of the residual path.
        inner: Channels of the grouped convolution.
    """

    role = "unit"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        activation: str,
        residual: int,
        growth: int,
        inner: int,
        groups: int = 1,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        how: dict[str, Any] = {"activation": activation, "norm": norm}
        self.residual = residual
        self.projection: nn.Module = nn.Identity()
        if out_channels == residual + 3 * growth:
            paths = residual + 2 * growth
            self.projection = NormActivationConv(in_channels, paths, 1, stride, **how)
        self.layers = nn.Sequential(
            NormActivationConv(in_channels, inner, 1, **how),
            NormActivationConv(inner, inner, kernel, stride, groups, **how),
            NormActivationConv(inner, residual + growth, 1, **how),
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        residual, dense = split_channels(self.projection(maps), self.residual)
        added, grown = split_channels(self.layers(maps), self.residual)
        return torch.cat([residual + added, dense, grown], 1)
