"""The parts that blocks, operations and heads are made of."""

from typing import Any

import torch
from torch import nn

from evonas.models.activations import ACTIVATIONS
from evonas.models.memory_order import (
    map_means,
    strided_pointwise,
    trains_channels_last,
    writes_beyond_its_memory,
)
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
    height, width = both(kernel)
    if padding is None:
        padding = (dilation * (height // 2), dilation * (width // 2))
    shape = (out_channels, in_channels // groups, height, width)
    is_at_risk = writes_beyond_its_memory(shape, both(stride), both(padding), groups)
    kind = StridedPointwise if is_at_risk else nn.Conv2d
    return kind(
        in_channels, out_channels, kernel, stride, padding, dilation, groups=groups, bias=bias
    )


def both(extent: Extent) -> tuple[int, int]:
    """Of height and width."""
    return (extent, extent) if isinstance(extent, int) else extent


class StridedPointwise(nn.Conv2d):
    """A 1x1 convolution with a stride that few channels go into; in a training, by other means.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)).
    """

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """The same as by a plain convolution."""
        if not torch.is_grad_enabled():
            return super().forward(maps)
        return strided_pointwise(maps, self.weight, self.bias, self.stride)


class ConvNormActivation(nn.Sequential):
    """Convolution, norm, activation (none: linear); without norm, the convolution has a bias.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)).

    Args:
        norm: A name in `NORMS`.
        padding: Pixels of zeros on each side; None gives the shape above.
        bias: None: there is one if there is no norm.
    """

    order: tuple[str, ...] = ("convolution", "norm", "activation")

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
        bias: bool | None = None,
    ) -> None:
        bias = norm == "none" if bias is None else bias
        shape = (in_channels, out_channels, kernel, stride, groups, dilation, padding, bias)
        layers: list[nn.Module] = []
        channels = in_channels
        for part in self.order:
            if part == "convolution":
                layers.append(make_convolution(*shape))
                channels = out_channels
            elif part == "norm":
                layers.append(NORMS[norm](channels))
            elif activation is not None:
                layers.append(ACTIVATIONS[activation](channels))
        super().__init__(*layers)


class ActivationConvNorm(ConvNormActivation):
    """What cells apply to their states: NASNet's order (arXiv 1707.07012, appendix A)."""

    role = "passing"
    order = ("activation", "convolution", "norm")


class NormActivationConv(ConvNormActivation):
    """The order of pre-activation (arXiv 1603.05027, figure 4e)."""

    order = ("norm", "activation", "convolution")


class FactorizedReduction(nn.Module):
    """Halves maps and looks at pixels of even and of odd rows and columns.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / 2), ceil(w / 2)): activation, two
    1x1 convolutions of stride 2, the second on the map moved by one pixel, together, norm. In the
    code of NASNet (arXiv 1707.07012) and DARTS (arXiv 1806.09055). Both convolutions have half of
    the channels; where that leaves one over, it is zero before the norm, which is how the
    published counts of AmoebaNet-A with F=50 and F=190 come about.
    """

    role = "passing"

    def __init__(
        self, in_channels: int, out_channels: int, activation: str | None, norm: str = "batch"
    ) -> None:
        super().__init__()
        self.activation = (
            nn.Identity() if activation is None else ACTIVATIONS[activation](in_channels)
        )
        half = max(1, out_channels // 2)  # a single output channel has the first alone
        self.convolutions = nn.ModuleList(
            make_convolution(in_channels, half, 1, stride=2, bias=norm == "none")
            for _ in range(min(2, out_channels))
        )
        self.missing = out_channels - half * len(self.convolutions)
        self.norm = NORMS[norm](out_channels)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
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

    role = "drop_path"

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
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

    role = "gate"

    def __init__(self, channels: int, squeezed: int, activation: str, gate: str) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.activation = ACTIVATIONS[activation](squeezed)
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.gate = ACTIVATIONS[gate](channels)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to the same shape."""
        means = map_means(maps, keepdim=True)
        gates: torch.Tensor = self.gate(self.expand(self.activation(self.reduce(means))))
        return maps * gates


POOL = "pool"
Skip = bool | str  # whether what is given is added; or `POOL`: the means of 3x3 pixels of it


class Block(nn.Module):
    """Layers in a row that are skipped around if `skip`: then they keep channels and size.

    Args:
        skip: Adds what is given, or with `pool` the means of 3x3 pixels of it (MnasNet, arXiv
            1807.11626, section 4.1, has pooling as an allele and leaves open which one).
        drop_path: Probability of leaving the skip alone, in training (see `DropPath`).
    """

    role = "block"

    def __init__(self, layers: list[nn.Module], skip: Skip, drop_path: float = 0.0) -> None:
        super().__init__()
        dropped = [DropPath(drop_path)] if skip and drop_path > 0 else []
        self.layers = nn.Sequential(*layers, *dropped)
        self.skip = bool(skip)
        self.around: nn.Module = nn.Identity()
        if skip == POOL:
            self.around = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)

    @property
    def residual_branch(self) -> nn.Module | None:
        """What is added to what the block is given; None if nothing skips around it."""
        return self.layers if self.skip else None

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to (batch, channels, height / stride, ...)."""
        out: torch.Tensor = self.layers(maps)
        return self.around(maps) + out if self.skip else out


class ChannelShuffle(nn.Module):
    """Deals channels out so that each group gets some of every group (arXiv 1707.01083, figure 1).

    (batch, channels, h, w) to the same shape.
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = maps.shape
        if trains_channels_last(maps):
            pixels = maps.permute(0, 2, 3, 1).reshape(batch, height, width, self.groups, -1)
            return pixels.transpose(3, 4).flatten(3).permute(0, 3, 1, 2)
        split = maps.reshape(batch, self.groups, channels // self.groups, height, width)
        return split.transpose(1, 2).reshape(batch, channels, height, width)


class LpPool(nn.Module):
    """mean(|x|^p)^(1/p) of each window: the mean for p = 1, the maximum for large ones.

    (batch, channels, h, w) to (batch, channels, h', w'); arXiv 1204.3968, section 2.2, with equal
    weights in the window.
    """

    def __init__(
        self,
        power: float,
        kernel: int,
        stride: int,
        padding: int = 0,
        ceil: bool = False,
        counts_padding: bool = True,
    ) -> None:
        super().__init__()
        self.power = power
        self.pool = nn.AvgPool2d(kernel, stride, padding, ceil, counts_padding)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        # What is added keeps the root's slope finite where a window is all zeros; the root of any
        # more would show for large powers.
        means: torch.Tensor = self.pool(maps.abs().pow(self.power)) + 1e-37
        return means.pow(1 / self.power)


class SumWeights(nn.Module):
    """Trained weights of the terms of a sum (multi-input weighted residual connections).

    Of EfficientDet, arXiv 1911.09070, section 3.3.

    Args:
        bounds: How they are kept in bounds: `fast` as relu(w) / (1e-4 + their sum), `softmax`, or
            `free` as they are. They begin as ones.
    """

    def __init__(self, terms: int, bounds: str = "fast") -> None:
        super().__init__()
        self.values = nn.Parameter(torch.ones(terms))
        self.bounds = bounds

    def forward(self) -> torch.Tensor:
        """One weight a term, (terms,)."""
        if self.bounds == "fast":
            positive = self.values.relu()
            return positive / (positive.sum() + 1e-4)
        return self.values.softmax(0) if self.bounds == "softmax" else self.values


class GlobalPool(nn.Module):
    """The mean or the largest pixel of each map: (batch, channels, h, w) to (batch, channels).

    Args:
        kind: `average` (arXiv 1312.4400, section 3.2) or `max`.
    """

    regions = 1

    def __init__(self, kind: str = "average") -> None:
        super().__init__()
        self.kind = kind

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return map_means(maps) if self.kind == "average" else maps.amax((2, 3))


class PyramidFeatures(nn.Module):
    """The largest pixels of n x n regions for each n, as features whose number knows no map size.

    (batch, channels, h, w) to (batch, channels * sum of n^2); SPP-net (arXiv 1406.4729,
    section 2.2). Region i of n reaches from floor(i h / n) to ceil((i + 1) h / n).
    """

    role = "features"

    def __init__(self, bins: list[int]) -> None:
        super().__init__()
        self.bins = bins
        self.regions = sum(count**2 for count in bins)  # features that a map gives

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        levels = [_largest(_largest(maps, count, 2), count, 3) for count in self.bins]
        return torch.cat([level.flatten(1) for level in levels], 1)


def _largest(maps: torch.Tensor, count: int, axis: int) -> torch.Tensor:
    """The maxima of `count` regions along an axis."""
    length = maps.shape[axis]
    # Rounded up with positive numbers only: torch's older exporter divides towards zero.
    ends = [(i * length // count, ((i + 1) * length + count - 1) // count) for i in range(count)]
    regions = [maps.narrow(axis, start, stop - start) for start, stop in ends]
    return torch.cat([region.amax(axis, keepdim=True) for region in regions], axis)


class ClassifierHead(nn.Module):
    """1x1 convolution, global average pooling, maybe a hidden layer, linear layer.

    Args:
        channels: After the convolution; 0 leaves it out.
        hidden: Neurons between pooling and classifier; 0 leaves them out.
        activation_first: Where there is no convolution: an activation before pooling, as in the
            code of NASNet, whose cells end without one.
        norm_first: Norm and activation before all else, behind blocks that begin with theirs.
        pool: `average`, `max`, or `pyramid`: see `PyramidFeatures`, of 1, 4 and 16 regions.
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
        norm_first: bool = False,
        pool: str = "average",
    ) -> None:
        super().__init__()
        self.norm: nn.Module = nn.Identity()
        if norm_first:
            self.norm = nn.Sequential(
                NORMS[norm](in_channels), ACTIVATIONS[activation](in_channels)
            )
        self.convolution: nn.Module = nn.Identity()
        if channels:
            self.convolution = ConvNormActivation(
                in_channels, channels, 1, activation=activation, norm=norm
            )
        elif activation_first:  # in its place, so that the names of weights stay
            self.convolution = ACTIVATIONS[activation](in_channels)
        self.pool = PyramidFeatures([1, 2, 4]) if pool == "pyramid" else GlobalPool(pool)
        features = (channels or in_channels) * self.pool.regions
        layers: list[nn.Module] = []
        if hidden:
            layers += [nn.Linear(features, hidden), ACTIVATIONS[activation](hidden)]
        self.classifier = nn.Sequential(*layers, nn.Linear(hidden or features, classes))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to logits (batch, classes)."""
        logits: torch.Tensor = self.classifier(self.pool(self.convolution(self.norm(maps))))
        return logits
