"""What a chain is made of beside convolutions: poolings, norms, branches.

Their source is copied into exported models, so they import torch and `evonas.models` only. None
of them is a class of torch, whose source is not ours to copy.
"""

import torch
from torch import nn

from evonas.models.activations import ACTIVATIONS
from evonas.models.cell import add
from evonas.models.layers import SumWeights
from evonas.models.norms import NORMS


class Row(nn.Sequential):
    """Layers one behind the other; none of them passes maps on unchanged."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__(*layers)


class Concat(nn.Module):
    """Branches beside each other, their channels one behind the other.

    (batch, channels, h, w) to (batch, channels of all branches, h', w'): GoogLeNet's inception
    module (arXiv 1409.4842, figure 2).
    """

    role = "concat"

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """The concatenated maps of the branches."""
        return torch.cat([branch(maps) for branch in self.branches], 1)


class Sum(nn.Module):
    """Branches of one shape, added; those with layers scaled before.

    (batch, channels, h, w) to what each branch gives: Inception-ResNet (arXiv 1602.07261,
    section 3.3).

    Args:
        scale: Multiplies branches that are no identity.
    """

    role = "sum"

    def __init__(self, branches: list[nn.Module], scale: float = 1.0) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.scales = [scale if list(branch.children()) else 1.0 for branch in branches]

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """The sum of the maps of the branches."""
        pairs = zip(self.branches, self.scales, strict=True)
        return add(
            [branch(maps) if scale == 1 else branch(maps) * scale for branch, scale in pairs]
        )


class WeightedSum(nn.Module):
    """Branches of one shape, added with a trained weight for each: see `SumWeights`.

    (batch, channels, h, w) to what each branch gives.
    """

    role = "weighted_sum"

    def __init__(self, branches: list[nn.Module], weights: str = "fast") -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.weights = SumWeights(len(branches), weights)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """The weighted sum of the maps of the branches."""
        pairs = zip(self.branches, self.weights(), strict=True)
        return add([branch(maps) * weight for branch, weight in pairs])


class MaxPool(nn.MaxPool2d):
    """The largest pixel of each window: (batch, channels, h, w) to (batch, channels, h', w').

    Args:
        padding: In pixels; or `same` for windows of stride 1 that keep the map's size, even ones
            with a pixel more at the right and below, as Darknet has them.
    """

    def __init__(
        self,
        kernel: int | tuple[int, int],
        stride: int | tuple[int, int],
        padding: int | tuple[int, int] | str = 0,
        ceil: bool = False,
    ) -> None:
        self.first = (0, 0)  # row and column
        if isinstance(padding, str):
            height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
            padding, self.first = (height // 2, width // 2), (1 - height % 2, 1 - width % 2)
        super().__init__(kernel, stride, padding, ceil_mode=ceil)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """The largest pixels."""
        largest: torch.Tensor = super().forward(maps)
        return largest[:, :, self.first[0] :, self.first[1] :] if any(self.first) else largest


class AvgPool(nn.AvgPool2d):
    """The mean of each window: (batch, channels, h, w) to (batch, channels, h', w').

    Args:
        counts_padding: Whether the zeros around the map count as pixels.
    """

    def __init__(
        self,
        kernel: int,
        stride: int,
        padding: int = 0,
        ceil: bool = False,
        counts_padding: bool = True,
    ) -> None:
        super().__init__(kernel, stride, padding, ceil, counts_padding)


class LocalResponseNorm(nn.Module):
    """Divides each pixel by (k + alpha * mean of squares of neighbouring channels)^beta.

    (batch, channels, h, w) to the same shape. AlexNet (Krizhevsky et al. 2012, section 3.3) has
    the sum in place of the mean; with the mean, as in Caffe and torch, alpha is `size` times it.

    Args:
        size: Channels in the mean, the own one in their middle; those that are not there are 0.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        before = self.size // 2
        ends = (0, 0, 0, 0, before, self.size - 1 - before)
        squares = nn.functional.pad(maps * maps, ends)
        channels = maps.shape[1]
        total = squares[:, :channels]
        for shift in range(1, self.size):
            total = total + squares[:, shift : shift + channels]
        return maps / (total * (self.alpha / self.size) + self.k).pow(self.beta)


class PoolPyramid(nn.Module):
    """Max pools of stride 1 with their largest window first, then the maps themselves.

    (batch, channels, h, w) to (batch, channels * (kernels + 1), h, w): the block called SPP in
    yolov3-spp.cfg and in YOLOv4 (arXiv 2004.10934, section 3.4).
    """

    def __init__(self, kernels: list[int]) -> None:
        super().__init__()
        self.pools = nn.ModuleList(
            nn.MaxPool2d(kernel, stride=1, padding=kernel // 2) for kernel in reversed(kernels)
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return torch.cat([*(pool(maps) for pool in self.pools), maps], 1)


class SpaceToDepth(nn.Module):
    """Pixels of a square as channels: YOLOv2's passthrough (arXiv 1612.08242, section 2).

    (batch, channels, h, w) to (batch, factor^2 * channels, h / factor, w / factor): all channels of
    the upper left pixels first, then those of their right neighbours. Sides that the factor does
    not divide have zeros at the right and below.
    """

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        beyond = [-side % self.factor for side in maps.shape[2:]]
        if any(beyond):
            maps = nn.functional.pad(maps, (0, beyond[1], 0, beyond[0]))
        steps = range(self.factor)
        rows = [maps[:, :, row :: self.factor] for row in steps]
        return torch.cat([r[:, :, :, column :: self.factor] for r in rows for column in steps], 1)


class ChannelGroup(nn.Module):
    """One of equal groups of channels: Darknet's route with `groups` and `group_id`.

    (batch, channels, h, w) to (batch, channels / groups, h, w).

    Args:
        group: Which of them, counted from 1.
    """

    def __init__(self, group: int, groups: int) -> None:
        super().__init__()
        self.group, self.groups = group, groups

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        channels = maps.shape[1] // self.groups
        return maps[:, channels * (self.group - 1) : channels * self.group]


class SpatialAttention(nn.Module):
    """Maps times a gate for each pixel.

    (batch, channels, h, w) to the same shape.

    Args:
        kind: `pooled`: one gate for all channels, from their mean and maximum by a 7x7 convolution
            (CBAM, arXiv 1807.06521, eq. 3); `pointwise`: one for each, by a 1x1 convolution
            (YOLOv4, arXiv 2004.10934, figure 5).
    """

    def __init__(self, channels: int, kind: str) -> None:
        super().__init__()
        self.is_pooled = kind == "pooled"
        self.convolution = (
            nn.Conv2d(2, 1, 7, padding=3) if self.is_pooled else nn.Conv2d(channels, channels, 1)
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        seen = maps
        if self.is_pooled:
            seen = torch.cat([maps.mean((1,), keepdim=True), maps.amax((1,), keepdim=True)], 1)
        gates: torch.Tensor = self.convolution(seen).sigmoid()
        return maps * gates


class Activation(nn.Sequential):
    """An activation as a layer of its own; any shape to the same."""

    def __init__(self, channels: int, name: str) -> None:
        super().__init__(ACTIVATIONS[name](channels))


class Norm(nn.Sequential):
    """A norm as a layer of its own; (batch, channels, h, w) to the same shape."""

    def __init__(self, channels: int, name: str) -> None:
        super().__init__(NORMS[name](channels))


class Dropout(nn.Dropout):
    """Zeros for a share of the values in training (Srivastava et al. 2014, section 4)."""

    def __init__(self, probability: float) -> None:
        super().__init__(probability)


class Flatten(nn.Flatten):
    """(batch, channels, height, width) to (batch, channels * height * width)."""

    role = "features"

    def __init__(self) -> None:
        super().__init__(1)


class LinearActivation(nn.Sequential):
    """(batch, in_features) to (batch, out_features), and an activation unless it is None."""

    def __init__(
        self, in_features: int, out_features: int, activation: str | None = None, bias: bool = True
    ) -> None:
        layers: list[nn.Module] = [nn.Linear(in_features, out_features, bias)]
        if activation is not None:
            layers.append(ACTIVATIONS[activation](out_features))
        super().__init__(*layers)
