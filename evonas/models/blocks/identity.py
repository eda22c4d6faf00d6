"""The block that does nothing where it can."""

from torch import nn

from evonas.models.layers import ConvNormActivation


class Identity(nn.Sequential):
    """Maps unchanged, or a 1x1 convolution with norm if channels or size change.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)). As in
    NAS-Bench-Macro (arXiv 2103.11922), whose networks get shallower by it.

    Args:
        activation: Not used: this block is linear.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        activation: str,
        norm: str = "batch",
    ) -> None:
        changes = stride != 1 or in_channels != out_channels
        layers = [ConvNormActivation(in_channels, out_channels, 1, stride, norm=norm)]
        super().__init__(*(layers if changes else []))
