"""No connection."""

import torch
from torch import nn


class Zero(nn.Module):
    """Zeros in the shape of any operation's output (arXiv 1806.09055, section 2.1).

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)).

    Args:
        activation: Not used, as `norm`.
    """

    role = "passing"

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, activation: str, norm: str
    ) -> None:
        super().__init__()
        self.channels = out_channels
        self.stride = stride

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        # Computed from the maps: a network of nothing but constants would lose its input in ONNX.
        zeros = maps[:, :1, :: self.stride, :: self.stride] * 0
        return zeros.repeat(1, self.channels, 1, 1)
