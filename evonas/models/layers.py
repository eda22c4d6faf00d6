"""The parts that blocks are made of."""

from typing import Any

import torch
from torch import nn

from evonas.models.activations import ACTIVATIONS


class ConvNormActivation(nn.Sequential):
    """Convolution without bias, batch norm, activation (none: linear).

    Keeps the map's size at stride 1; at stride 2 gives ceil(size / 2).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        activation: str | None = None,
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(
                in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False
            ),
            nn.BatchNorm2d(out_channels),
        ]
        if activation is not None:
            layers.append(ACTIVATIONS[activation]())
        super().__init__(*layers)


Attention = dict[str, Any]  # arguments of SqueezeExcite but for the channels


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate computed from all channels' means (arXiv 1709.01507, eq. 2-4).

    Args:
        channels: Of the maps that are scaled.
        squeezed: Channels of the hidden layer.
    """

    def __init__(self, channels: int, squeezed: int, activation: str, gate: str) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.activation = ACTIVATIONS[activation]()
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.gate = ACTIVATIONS[gate]()

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to the same shape."""
        means = maps.mean((2, 3), keepdim=True)
        gates: torch.Tensor = self.gate(self.expand(self.activation(self.reduce(means))))
        return maps * gates


class Block(nn.Module):
    """Layers in a row that are skipped around if `skip`: then they keep channels and size."""

    def __init__(self, layers: list[nn.Module], skip: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.skip = skip

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to (batch, channels, height / stride, ...)."""
        out: torch.Tensor = self.layers(maps)
        return maps + out if self.skip else out


class ClassifierHead(nn.Module):
    """1x1 convolution, global average pooling, maybe a hidden layer, linear layer.

    Args:
        channels: After the convolution; 0 leaves it out.
        hidden: Neurons between pooling and classifier; 0 leaves them out.
    """

    def __init__(
        self, in_channels: int, channels: int, classes: int, activation: str, hidden: int = 0
    ) -> None:
        super().__init__()
        self.convolution = (
            ConvNormActivation(in_channels, channels, 1, activation=activation)
            if channels
            else nn.Identity()
        )
        features = channels or in_channels
        layers: list[nn.Module] = []
        if hidden:
            layers += [nn.Linear(features, hidden), ACTIVATIONS[activation]()]
        self.classifier = nn.Sequential(*layers, nn.Linear(hidden or features, classes))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to logits (batch, classes)."""
        logits: torch.Tensor = self.classifier(self.convolution(maps).mean((2, 3)))
        return logits
