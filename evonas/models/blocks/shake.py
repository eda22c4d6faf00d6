"""Shake-Shake's block."""

import torch
from torch import nn

from evonas.models.activations import ACTIVATIONS
from evonas.models.layers import ConvNormActivation, DropPath, make_convolution
from evonas.models.norms import NORMS


class Shake(nn.Module):
    """Two branches of two convolutions, mixed at random in training (arXiv 1705.07485, eq. 2).

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)). The
    activation stands behind the sum, as in pytorchcv; the paper has it before the branches.

    Args:
        drop_path: Probability of leaving both branches out, in training (see `DropPath`).
    """

    role = "unit"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        activation: str,
        norm: str = "batch",
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                ConvNormActivation(in_channels, out_channels, kernel, stride, 1, activation, norm),
                ConvNormActivation(out_channels, out_channels, kernel, norm=norm),
            )
            for _ in range(2)
        )
        keeps_shape = stride == 1 and in_channels == out_channels
        self.shortcut: nn.Module = nn.Identity()
        if not keeps_shape:
            self.shortcut = ShiftedProjection(in_channels, out_channels, stride, norm)
        self.dropped = DropPath(drop_path)
        self.activation = ACTIVATIONS[activation](out_channels)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        first, second = (branch(maps) for branch in self.branches)
        mixed = shaken(first, second) if self.training else (first + second) / 2
        out: torch.Tensor = self.activation(self.shortcut(maps) + self.dropped(mixed))
        return out


def shaken(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Both in random shares, others for each sample; the gradient flows in yet others.

    Draws from torch's global generator.
    """
    shape, device = (2, len(first), 1, 1, 1), first.device
    forward, backward = torch.rand(shape, device=device).to(first.dtype)
    seen = forward * first + (1 - forward) * second
    learnt = backward * first + (1 - backward) * second
    mixed: torch.Tensor = learnt + (seen - learnt).detach()
    return mixed


class ShiftedProjection(nn.Module):
    """Two 1x1 convolutions side by side, one of maps moved down and right by a pixel; norm.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)).
    arXiv 1705.07485, section 2.1: with stride 2 the two see different pixels.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, norm: str) -> None:
        super().__init__()
        halves = [out_channels - out_channels // 2, out_channels // 2]
        self.convolutions = nn.ModuleList(
            make_convolution(in_channels, half, 1, stride, bias=norm == "none")
            for half in halves
            if half
        )
        self.norm = NORMS[norm](out_channels)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        moved = nn.functional.pad(maps[:, :, :-1, :-1], (1, 0, 1, 0))
        parts = [layer(part) for layer, part in zip(self.convolutions, (maps, moved), strict=False)]
        out: torch.Tensor = self.norm(torch.cat(parts, 1))
        return out
