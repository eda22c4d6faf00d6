"""GoogLeNet's module, with branches in fixed proportions."""

from torch import nn

from evonas.models.chain_layers import Concat
from evonas.models.layers import Block, ConvNormActivation, Skip


class Inception(Block):
    """Four branches beside each other: 1x1; 1x1 and 3x3; 1x1 and larger; pooling and 1x1.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)).
    GoogLeNet, arXiv 1409.4842, figure 2b. The branches give 1/4, 1/2, 1/8 and 1/8 of the channels,
    the 1x1 convolutions before the larger ones 3/8 and 1/16 of them, as in its module 3a (table
    1). Where the stride is not 1, 3x3 max pooling comes first.

    Args:
        out_channels: At least 4.
        kernel: Of the third branch; GoogLeNet has 5.
        stacked: That branch as 3x3 convolutions in a row that see as much (arXiv 1512.00567,
            section 3.1).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        activation: str,
        stacked: bool = False,
        skip: Skip = False,
        norm: str = "batch",
        drop_path: float = 0.0,
    ) -> None:
        def row(channels: int, *steps: tuple[int, int]) -> list[nn.Module]:
            layers: list[nn.Module] = []
            for given, side in steps:
                layers.append(ConvNormActivation(channels, given, side, 1, 1, activation, norm))
                channels = given
            return layers

        single, pooled = max(1, out_channels // 4), max(1, out_channels // 8)
        large = pooled
        middle = out_channels - single - large - pooled
        before_middle, before_large = max(1, out_channels * 3 // 8), max(1, out_channels // 16)
        sides = [3] * max(1, kernel // 2) if stacked else [kernel]
        branches: list[nn.Module] = [
            nn.Sequential(*row(in_channels, (single, 1))),
            nn.Sequential(*row(in_channels, (before_middle, 1), (middle, 3))),
            nn.Sequential(*row(in_channels, (before_large, 1), *((large, side) for side in sides))),
            nn.Sequential(nn.MaxPool2d(3, 1, padding=1), *row(in_channels, (pooled, 1))),
        ]
        first = [nn.MaxPool2d(3, stride, padding=1)] if stride != 1 else []
        super().__init__([*first, Concat(branches)], skip, drop_path)
