"""How a network of stages begins."""

from torch import nn

from evonas.models.layers import ConvNormActivation, make_convolution


class BareConv(nn.Sequential):
    """A convolution alone, for networks whose blocks begin with norm and activation.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int) -> None:
        super().__init__(make_convolution(in_channels, out_channels, kernel, stride))


class DeepStem(nn.Sequential):
    """Three 3x3 convolutions in place of a large one (arXiv 1812.01187, section 4.2, ResNet-C).

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)). The
    first two have half of the channels; the first one carries the stride.

    Args:
        kernel: Of each of the three.
        bare: Without norm and activation behind the last.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        activation: str,
        norm: str = "batch",
        bare: bool = False,
    ) -> None:
        half = max(1, out_channels // 2)
        last: nn.Module = (
            BareConv(half, out_channels, kernel, 1)
            if bare
            else ConvNormActivation(half, out_channels, kernel, 1, 1, activation, norm)
        )
        super().__init__(
            ConvNormActivation(in_channels, half, kernel, stride, 1, activation, norm),
            ConvNormActivation(half, half, kernel, 1, 1, activation, norm),
            last,
        )


class StemPool(nn.Sequential):
    """3x3 pooling of stride 2 behind the stem (arXiv 1512.03385, table 1).

    (batch, channels, h, w) to (batch, channels, ceil(h / 2), ceil(w / 2)).

    Args:
        kind: `max` or `average`.
    """

    def __init__(self, kind: str) -> None:
        pool = nn.MaxPool2d if kind == "max" else nn.AvgPool2d
        super().__init__(pool(3, stride=2, padding=1))
