"""Receptive fields against values worked out by hand, and against what gradients reach."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from evonas.blueprint import plan_network
from evonas.models import receptive_field
from evonas.models.count import Maps, count_layers
from evonas.models.layers import FactorizedReduction, SqueezeExcite
from evonas.models.network import build_layer
from evonas.models.receptive_field import PIXEL, Span, behind, joined
from evonas.models.trace import trace
from evonas.networks.plan import Layer, Plan, in_a_row
from evonas.presets import preset


def traced(network: nn.Module, side: int = 64, channels: int = 1) -> Maps:
    made = trace(network.to("meta"), (1, channels, side, side), device="meta")
    return Maps(tuple(made.outputs[0].shape[1:]), receptive_field.seen(made)[0])


def seen(network: nn.Module, side: int = 64, channels: int = 1) -> tuple[int | None, int | None]:
    """Field and jump in pixels."""
    maps = traced(network, side, channels)
    return maps.receptive_field_px, maps.jump_px


def conv(kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(1, 1, kernel, stride, padding, dilation)


class Branches(nn.Module):
    """Branches side by side, added or concatenated."""

    def __init__(self, *branches: nn.Module, is_sum: bool = True) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.is_sum = is_sum

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        outputs = [branch(maps) for branch in self.branches]
        return torch.stack(outputs).sum(0) if self.is_sum else torch.cat(outputs, 1)


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.function(maps)


def bottleneck(stride: int, is_first: bool) -> nn.Module:
    branch = nn.Sequential(conv(1), conv(3, stride, 1), conv(1))
    return Branches(branch, conv(1, stride) if is_first else nn.Identity())


def test_mobilenet_v1_sees_315_pixels_and_its_head_the_whole_image() -> None:
    found = preset("mobilenet_v1")
    *_, last, head = count_layers(plan_network(found.blueprint, found.scale))
    assert (last.maps.receptive_field_px, last.maps.jump_px) == (315, 32)
    assert (head.maps.receptive_field_px, head.maps.jump_px) == (None, None)


@pytest.mark.parametrize(
    ("name", "field"),
    [  # the table at the end of Araujo et al.; for ResNet-50 the sum above
        ("mobilenet_v1", 315),
        ("bn_inception", 699),
        ("inception_v3", 1311),
        ("inception_v4", 2071),
        ("inception_resnet_v2", 3039),
        ("alexnet", 195),
        ("vgg16", 212),
        ("resnet50", 427),
    ],
)
def test_published_networks_see_what_is_published(name: str, field: int) -> None:
    found = preset(name)
    fields = [
        layer.maps.receptive_field_px or 0
        for layer in count_layers(plan_network(found.blueprint, found.scale))
    ]
    assert max(fields) == field


@pytest.mark.parametrize("is_sum", [True, False])
def test_of_branches_side_by_side_the_wider_one_counts(is_sum: bool) -> None:
    branches = Branches(conv(1), conv(5, padding=2), nn.MaxPool2d(3, 1, 1), is_sum=is_sum)
    assert seen(branches) == (5, 1)
    assert seen(nn.Sequential(conv(3, 2, 1), branches)) == (3 + 4 * 2, 2)


def test_branches_that_are_not_centred_alike_see_what_both_do() -> None:
    left, right = nn.ZeroPad2d((2, 0, 2, 0)), nn.ZeroPad2d((0, 2, 0, 2))
    shifted = Branches(nn.Sequential(left, conv(3)), nn.Sequential(right, conv(3)))
    assert seen(shifted) == (5, 1)


def test_dilation_widens_a_convolution() -> None:
    assert seen(conv(3, padding=2, dilation=2)) == (5, 1)
    assert seen(nn.Sequential(conv(3, 2), conv(3, dilation=4))) == (3 + 8 * 2, 2)


def test_each_axis_counts_by_itself() -> None:
    field = traced(nn.Conv2d(1, 1, (1, 7), (1, 2), (0, 3))).field
    assert field == (Span(0, 0, 1), Span(-3, 3, 2))


def test_a_factorised_reduction_sees_two_pixels_of_each_axis() -> None:
    # One path looks at even pixels, the other at their odd neighbours.
    reduction = FactorizedReduction(2, 4, "relu")
    assert seen(reduction, channels=2) == (2, 2)
    assert seen(nn.Sequential(nn.Conv2d(2, 2, 3, 2), reduction), channels=2) == (3 + 2, 4)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (nn.AvgPool2d(2), (2, 2)),
        (nn.LPPool2d(2, 3, 2), (3, 2)),
        (nn.AdaptiveAvgPool2d(16), (4, 4)),
        (nn.AdaptiveMaxPool2d(16), (4, 4)),
        (nn.AdaptiveAvgPool2d(1), (None, None)),
        (nn.AdaptiveAvgPool2d(5), (None, None)),
        (nn.Flatten(), (None, None)),
        (nn.PixelUnshuffle(2), (2, 2)),
        (nn.LocalResponseNorm(5), (1, 1)),
        (nn.ChannelShuffle(1), (1, 1)),
        (nn.BatchNorm2d(1), (1, 1)),
        (nn.ReLU(inplace=True), (1, 1)),
        (Function(lambda maps: maps[:, :, ::2, ::2]), (1, 2)),
        (Function(lambda maps: torch.cat(maps.split(1, 1)[::-1], 1)), (1, 1)),
        (Function(lambda maps: maps * maps.amax(1, keepdim=True).sigmoid()), (1, 1)),
        (Function(lambda maps: maps.mean((2, 3))), (None, None)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_operations_keep_the_field_widen_it_or_have_none(
    change: nn.Module, field: tuple[int | None, int | None]
) -> None:
    assert seen(change) == field


def test_a_gate_of_means_does_not_widen_what_it_scales() -> None:
    attention = SqueezeExcite(8, 2, "relu", "sigmoid")
    assert seen(nn.Sequential(nn.Conv2d(1, 8, 3), attention, nn.Conv2d(8, 1, 3))) == (5, 1)


def reached(network: nn.Module, side: int) -> int:
    """How many pixels of a row change the middle of the last map: where gradients are."""
    for weights in network.parameters():
        nn.init.constant_(weights, 0.1)
    images = torch.rand(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    maps = network.double()(images)
    middle = maps.shape[-1] // 2
    maps[0, :, middle, middle].sum().backward()
    assert images.grad is not None
    columns = images.grad[0, 0].abs().sum(0).nonzero()
    return int(columns.max() - columns.min()) + 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Sequential(conv(5, 2, 2), bottleneck(2, True), bottleneck(1, False)),
        lambda: nn.Sequential(conv(3, 1, 2, 2), nn.AvgPool2d(3, 2, 1), conv(3, 2, 1)),
        lambda: Branches(conv(2, 2), conv(3, 2, 1), nn.Sequential(conv(7, 1, 3), conv(1, 2))),
        lambda: nn.Sequential(*(FactorizedReduction(1, 1, None, "none") for _ in range(2))),
        lambda: nn.Sequential(FactorizedReduction(1, 2, None, "none"), nn.Conv2d(2, 1, 3)),
        lambda: nn.Sequential(conv(3), nn.PixelUnshuffle(2), nn.Conv2d(4, 1, 3)),
    ],
)
def test_the_field_is_where_gradients_are(make: Callable[[], nn.Module]) -> None:
    assert seen(make())[0] == reached(make(), 64)


def test_layer_by_layer_is_the_whole_network() -> None:
    shapes = [(3, 8, 3, 2), (8, 8, 5, 1), (8, 16, 3, 2), (16, 16, 1, 1)]
    keys = ("in_channels", "out_channels", "kernel", "stride")
    layers = [Layer("ConvNormActivation", dict(zip(keys, shape, strict=True))) for shape in shapes]
    plan = Plan(
        in_a_row([("stem", tuple(layers[:1])), ("body", tuple(layers[1:]))]), (3, 64, 64), ("body",)
    )
    rows = list(count_layers(plan))
    assert [row.name for row in rows] == ["stem", "body.0", "body.1", "body.2"]
    assert [row.maps.receptive_field_px for row in rows] == [3, 3 + 8, 11 + 4, 15]
    whole = nn.Sequential(*[build_layer(layer) for layer in layers])
    assert traced(whole, channels=3) == rows[-1].maps


def test_nothing_is_seen_less_by_joining_and_nothing_more_by_what_sees_all() -> None:
    wide = (Span(-2, 2), Span(-1, 1))
    assert joined([PIXEL, wide]) == wide
    assert joined([PIXEL, None]) == PIXEL
    assert joined([None]) is None
    assert joined([]) is None
    assert behind(wide, None) is None
    assert behind(None, wide) is None
