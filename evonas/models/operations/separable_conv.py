"""A convolution in two: over space, and over channels."""

from torch import nn

from evonas.models.activations import ACTIVATIONS
from evonas.models.layers import make_convolution
from evonas.models.norms import NORMS


class SeparableConv(nn.Sequential):
    """[Activation, depthwise convolution, 1x1 convolution, norm], as often as `repeats`.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)); the
    first repeat carries the stride and the change of channels. Twice is the form of NASNet (arXiv
    1707.07012, appendix A); once with dilation 2 is the dilated convolution of DARTS (arXiv
    1806.09055, section 3.1.1).

    Args:
        kernel: Side in pixels, odd.
        order: depthwise_first, or pointwise_first (arXiv 1610.02357, section 1.2).
        middle_activation: Norm and activation between the two convolutions as well.
        dilation: Pixels from one point of the depthwise kernel to the next.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        activation: str,
        norm: str,
        kernel: int,
        repeats: int = 2,
        order: str = "depthwise_first",
        middle_activation: bool = False,
        dilation: int = 1,
    ) -> None:
        bias = norm == "none"
        middle_bias = bias and middle_activation  # else the next convolution would swallow it
        layers: list[nn.Module] = []
        for repeat in range(repeats):
            channels, step = (out_channels, 1) if repeat else (in_channels, stride)
            middle = {"depthwise_first": channels, "pointwise_first": out_channels}[order]
            depthwise = {"kernel": kernel, "stride": step, "groups": middle, "dilation": dilation}
            pair = (depthwise, {"kernel": 1})
            first, second = pair if order == "depthwise_first" else pair[::-1]
            layers += [
                ACTIVATIONS[activation](channels),
                make_convolution(channels, middle, **first, bias=middle_bias),
            ]
            if middle_activation:
                layers += [NORMS[norm](middle), ACTIVATIONS[activation](middle)]
            layers += [
                make_convolution(middle, out_channels, **second, bias=bias),
                NORMS[norm](out_channels),
            ]
        super().__init__(*layers)
