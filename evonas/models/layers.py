"""The parts that blocks, operations and heads are made of."""

from typing import Any

import torch
from torch import nn

from evonas.models.activations import ACTIVATIONS
from evonas.models.norms import NORMS

Extent = int | tuple[int, int]  # of both axes, or (height, width)


def make_convolution(
    in_channels: int,
    out_channels: int,
    kernel: Extent,
    stride: Extent = 1,
    groups: int = 1,
    dilation: int = 1,
    padding: Extent | None = None,
    bias: bool = False,
) -> nn.Conv2d:
    """A convolution from (batch, in_channels, h, w) to (batch, out_channels, h', w').

    Args:
        kernel: Odd, or the map grows.
        padding: Pixels of zeros on each side; None makes h' = ceil(h / stride).
    """
    if padding is None:
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (dilation * (height // 2), dilation * (width // 2))
    return nn.Conv2d(
        in_channels, out_channels, kernel, stride, padding, dilation, groups=groups, bias=bias
    )


class ConvNormActivation(nn.Sequential):
    """Convolution, norm, activation (none: linear); without norm, the convolution has a bias.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)).

    Args:
        norm: A name in `NORMS`.
        padding: Pixels of zeros on each side; None gives the shape above.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Extent,
        stride: Extent = 1,
        groups: int = 1,
        activation: str | None = None,
        norm: str = "batch",
        dilation: int = 1,
        padding: Extent | None = None,
    ) -> None:
        bias = norm == "none"
        layers: list[nn.Module] = [
            make_convolution(
                in_channels, out_channels, kernel, stride, groups, dilation, padding, bias
            ),
            NORMS[norm](out_channels),
        ]
        if activation is not None:
            layers.append(ACTIVATIONS[activation]())
        super().__init__(*layers)


class ActivationConvNorm(nn.Sequential):
    """Activation (None leaves it out), convolution, norm: what cells apply to their states.

    Shapes and arguments as in `ConvNormActivation`; the order is NASNet's (arXiv 1707.07012,
    appendix A).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Extent,
        stride: Extent = 1,
        groups: int = 1,
        activation: str | None = None,
        norm: str = "batch",
        dilation: int = 1,
        padding: Extent | None = None,
    ) -> None:
        bias = norm == "none"
        layers: list[nn.Module] = [] if activation is None else [ACTIVATIONS[activation]()]
        layers += [
            make_convolution(
                in_channels, out_channels, kernel, stride, groups, dilation, padding, bias
            ),
            NORMS[norm](out_channels),
        ]
        super().__init__(*layers)


class FactorizedReduction(nn.Module):
    """Halves maps and looks at pixels of even and of odd rows and columns.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / 2), ceil(w / 2)): activation, two
    1x1 convolutions of stride 2, the second on the map moved by one pixel, together, norm. In the
    code of NASNet (arXiv 1707.07012) and DARTS (arXiv 1806.09055). Both convolutions have half of
    the channels; where that leaves one over, it is zero before the norm, which is how the
    published counts of AmoebaNet-A with F=50 and F=190 come about.
    """

    def __init__(
        self, in_channels: int, out_channels: int, activation: str | None, norm: str = "batch"
    ) -> None:
        super().__init__()
        self.activation = nn.Identity() if activation is None else ACTIVATIONS[activation]()
        half = max(1, out_channels // 2)  # a single output channel has the first alone
        self.convolutions = nn.ModuleList(
            make_convolution(in_channels, half, 1, stride=2, bias=norm == "none")
            for _ in range(min(2, out_channels))
        )
        self.missing = out_channels - half * len(self.convolutions)
        self.norm = NORMS[norm](out_channels)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, in_channels, h, w) to (batch, out_channels, ceil(h / 2), ceil(w / 2))."""
        maps = self.activation(maps)
        moved = nn.functional.pad(maps, (0, 1, 0, 1))[:, :, 1:, 1:]
        parts = [layer(part) for layer, part in zip(self.convolutions, (maps, moved), strict=False)]
        together = torch.cat(parts, 1)
        if self.missing:
            together = nn.functional.pad(together, (0, 0, 0, 0, 0, self.missing))
        out: torch.Tensor = self.norm(together)
        return out


class DropPath(nn.Module):
    """Zeros for some samples of a training batch; the others are scaled up to keep the mean.

    (batch, channels, h, w) to the same. FractalNet (arXiv 1605.07648, section 3.1), a sample at a
    time as in the code of NASNet. In evaluation mode it does nothing. Draws from torch's global
    generator.

    Args:
        probability: Of dropping a sample, at least 0 and below 1; may be changed while training.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to the same shape."""
        if not self.training or self.probability == 0:
            return maps
        keep = 1 - self.probability
        kept = (keep + torch.rand(len(maps), 1, 1, 1, device=maps.device)).floor()
        return maps / keep * kept.to(maps.dtype)


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
    """Layers in a row that are skipped around if `skip`: then they keep channels and size.

    Args:
        drop_path: Probability of leaving the skip alone, in training (see `DropPath`).
    """

    def __init__(self, layers: list[nn.Module], skip: bool, drop_path: float = 0.0) -> None:
        super().__init__()
        dropped = [DropPath(drop_path)] if skip and drop_path > 0 else []
        self.layers = nn.Sequential(*layers, *dropped)
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
        activation_first: Where there is no convolution: an activation before pooling, as in the
            code of NASNet, whose cells end without one.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        classes: int,
        activation: str,
        hidden: int = 0,
        norm: str = "batch",
        activation_first: bool = False,
    ) -> None:
        super().__init__()
        self.convolution: nn.Module = nn.Identity()
        if channels:
            self.convolution = ConvNormActivation(
                in_channels, channels, 1, activation=activation, norm=norm
            )
        elif activation_first:  # in its place, so that the names of weights stay
            self.convolution = ACTIVATIONS[activation]()
        features = channels or in_channels
        layers: list[nn.Module] = []
        if hidden:
            layers += [nn.Linear(features, hidden), ACTIVATIONS[activation]()]
        self.classifier = nn.Sequential(*layers, nn.Linear(hidden or features, classes))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to logits (batch, classes)."""
        logits: torch.Tensor = self.classifier(self.convolution(maps).mean((2, 3)))
        return logits
