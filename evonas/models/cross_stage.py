"""Cross stage partial connections: layers that see a part of the channels only."""

import torch
from torch import nn

from evonas.models.memory_order import split_channels


class CrossStage(nn.Module):
    """Concatenates the first channels, as they are, with what layers make of the others.

    (batch, channels, h, w) to (batch, around + channels of the layers, h, w). CSPNet, arXiv
    1911.11929, section 3.1.

    Args:
        around: Channels that go around the layers.
        layers: One behind the other; they keep the maps' size.
    """

    def __init__(self, around: int, layers: list[nn.Module]) -> None:
        super().__init__()
        self.around = around
        self.layers = nn.Sequential(*layers)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        around, through = split_channels(maps, self.around)
        return torch.cat([around, self.layers(through)], 1)
