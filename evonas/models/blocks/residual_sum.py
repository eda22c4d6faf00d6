"""What residual blocks have in common: a branch of convolutions, a shortcut, and their sum."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import nn

from evonas.models.activations import ACTIVATIONS
from evonas.models.layers import Attention, DropPath, SqueezeExcite, make_convolution
from evonas.models.norms import NORMS


class Order(NamedTuple):
    """What stands before a branch's first convolution, behind its last, and behind the sum.

    Between two convolutions are norm and activation, in every order.
    """

    first: tuple[str, ...]
    last: tuple[str, ...]
    behind_sum: tuple[str, ...]


# The five of arXiv 1603.05027, figure 4 a to e.
SEQUENCES: Mapping[str, Order] = {
    "post": Order((), ("norm",), ("activation",)),
    "norm_after_sum": Order((), (), ("norm", "activation")),
    "activation_before_sum": Order((), ("norm", "activation"), ()),
    "activation_first": Order(("activation",), ("norm",), ()),
    "pre": Order(("norm", "activation"), (), ()),
}


class Projection(nn.Sequential):
    """1x1 convolution to the shape of a branch (arXiv 1512.03385, section 3.3, option B).

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)).

    Args:
        normed: With a norm behind it.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, norm: str, normed: bool
    ) -> None:
        bias = norm == "none"
        layers = [make_convolution(in_channels, out_channels, 1, stride, bias=bias)]
        super().__init__(*layers, *([NORMS[norm](out_channels)] if normed else []))


class AverageProjection(nn.Sequential):
    """Average pooling, then a `Projection` of stride 1 (arXiv 1812.01187, section 4.2, ResNet-D).

    Shapes and arguments as there. All pixels count, where the convolution alone would skip some.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, norm: str, normed: bool
    ) -> None:
        pool = nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False)
        projection = Projection(in_channels, out_channels, 1, norm, normed)
        super().__init__(*([pool] if stride > 1 else []), projection)


class Padded(nn.Module):
    """Every `stride`-th pixel, and zeros in new channels (arXiv 1512.03385, section 3.3, option A).

    Shapes as in `Projection`; of fewer channels, the first are kept. It has no weights.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, norm: str, normed: bool
    ) -> None:
        super().__init__()
        self.kept = min(in_channels, out_channels)
        self.missing = out_channels - self.kept
        self.stride = stride

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ...)."""
        maps = maps[:, : self.kept, :: self.stride, :: self.stride]
        if not self.missing:
            return maps
        return nn.functional.pad(maps, (0, 0, 0, 0, 0, self.missing))


SHORTCUTS: Mapping[str, Callable[[int, int, int, str, bool], nn.Module]] = {
    "projection": Projection,
    "average": AverageProjection,
    "padded": Padded,
}


class ResidualSum(nn.Module):
    """A branch of convolutions added to what it is given (arXiv 1603.05027, equation 1).

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)). What
    is given is added as it is where shapes allow it, else through the shortcut, which reads what
    the first convolution reads.

    Args:
        inner: The layers of the branch but for its last convolution, with their norms and
            activations.
        last: The last convolution, without.
        order: A name in `SEQUENCES`. The shortcut has a norm where the last convolution has one.
        shortcut: A name in `SHORTCUTS`.
        attention: Of the branch's maps, before they are added (arXiv 1709.01507, figure 3).
        dropout: Probability of a zero before the last convolution (arXiv 1605.07146, section 3).
        drop_path: Probability of adding nothing, in training (see `DropPath`).
    """

    role = "residual"

    def __init__(
        self,
        in_channels: int,
        stride: int,
        inner: list[nn.Module],
        last: nn.Conv2d,
        activation: str,
        norm: str,
        order: str = "post",
        shortcut: str = "projection",
        attention: Attention | None = None,
        dropout: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        sequence, out_channels = SEQUENCES[order], last.out_channels
        layers = [*inner, *([nn.Dropout(dropout)] if dropout else []), last]
        layers += norms_and_activations(sequence.last, out_channels, activation, norm)
        layers += [SqueezeExcite(out_channels, **attention)] if attention else []
        layers += [DropPath(drop_path)] if drop_path else []
        self.first = norms_and_activations(sequence.first, in_channels, activation, norm)
        self.branch = nn.Sequential(*layers)
        self.shortcut: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            normed = "norm" in sequence.last
            self.shortcut = SHORTCUTS[shortcut](in_channels, out_channels, stride, norm, normed)
        self.behind_sum = norms_and_activations(sequence.behind_sum, out_channels, activation, norm)

    @property
    def residual_branch(self) -> nn.Module:
        """What is added to what the block is given, or to a shortcut."""
        return self.branch

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        ready = self.first(maps)
        kept = maps if self.shortcut is None else self.shortcut(ready)
        out: torch.Tensor = self.behind_sum(kept + self.branch(ready))
        return out


def norms_and_activations(
    places: tuple[str, ...], channels: int, activation: str, norm: str
) -> nn.Sequential:
    """The modules that a part of an `Order` names, in a row."""
    return nn.Sequential(
        *(
            NORMS[norm](channels) if place == "norm" else ACTIVATIONS[activation](channels)
            for place in places
        )
    )
