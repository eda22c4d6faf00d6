import math

import pytest
import torch
from torch import nn

from evonas.errors import UnknownName
from evonas.models import build
from evonas.models.detection.anchored import AnchorPrediction
from evonas.models.initialise import INITIALISATIONS, initialise
from evonas.models.norms import GroupNorm
from evonas.presets import preset
from evonas.space import Scale
from evonas.tasks.detection.anchors import AnchorPoints

schemes = pytest.mark.parametrize("scheme", INITIALISATIONS)


@pytest.mark.parametrize(
    ("channels", "kernel", "groups", "variances"),
    [
        ((64, 128), 3, 1, (2 / (128 * 9), 2 / ((64 + 128) * 9), 1 / (64 * 9))),
        ((1024, 1024), 5, 1024, (2 / 25, 1 / 25, 1 / 25)),  # depthwise
        ((256, 128), 3, 8, (2 / (16 * 9), 2 / ((32 + 16) * 9), 1 / (32 * 9))),
    ],
)
def test_a_convolution_has_the_variance_of_its_scheme_by_the_channels_of_a_group(
    channels: tuple[int, int], kernel: int, groups: int, variances: tuple[float, ...]
) -> None:
    for scheme, variance in zip(("he", "xavier", "lecun"), variances, strict=True):
        layer = nn.Conv2d(*channels, kernel, groups=groups)
        initialise(layer, seed=0, scheme=scheme)
        assert layer.weight.var().item() == pytest.approx(variance, rel=0.03)
        assert layer.weight.mean().item() == pytest.approx(0, abs=0.03 * math.sqrt(variance))
        assert layer.bias is not None
        assert not layer.bias.any()


@pytest.mark.parametrize(("bias", "scheme"), [(False, "lecun"), (True, "he")])
def test_a_layer_with_a_bias_of_its_own_has_no_norm_behind_it(bias: bool, scheme: str) -> None:
    one, other = (nn.Conv2d(16, 32, 3, groups=2, bias=bias) for _ in range(2))
    initialise(one, seed=0)
    initialise(other, seed=0, scheme=scheme)
    assert torch.equal(one.weight, other.weight)


def test_a_selu_network_of_twenty_layers_keeps_mean_and_variance() -> None:
    layers = [layer for _ in range(20) for layer in (nn.Conv2d(256, 256, 1), nn.SELU())]
    network = nn.Sequential(*layers)
    initialise(network, seed=0, scheme="lecun")
    with torch.no_grad():
        out = network(torch.randn(64, 256, 3, 3, generator=torch.Generator().manual_seed(1)))
    assert out.mean().item() == pytest.approx(0, abs=0.1)
    assert out.var().item() == pytest.approx(1, abs=0.2)


@schemes
def test_linear_layers_norms_and_slopes_are_the_same_by_every_scheme(scheme: str) -> None:
    linear, batch_norm, group_norm = nn.Linear(400, 100), nn.BatchNorm2d(4), GroupNorm(4)
    slopes = nn.PReLU()
    network = nn.ModuleList([linear, batch_norm, group_norm, slopes])
    batch_norm(torch.randn(8, 4, 2, 2) + 3)
    with torch.no_grad():
        for weights in network.parameters():
            weights += 5
    initialise(network, seed=0, scheme=scheme)
    assert linear.weight.std().item() == pytest.approx(0.01, rel=0.03)
    assert not linear.bias.any()
    for norm in (batch_norm, group_norm):
        assert torch.equal(norm.weight, torch.ones(4))
        assert torch.equal(norm.bias, torch.zeros(4))
    assert batch_norm.running_mean is not None
    assert not batch_norm.running_mean.any()
    assert slopes.weight.tolist() == [0.25]


def test_it_draws_the_numbers_it_always_drew() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.PReLU(), nn.Linear(4, 2))
    initialise(network, seed=7)
    generator = torch.Generator().manual_seed(7)
    first = torch.empty(4, 3, 3, 3).normal_(std=math.sqrt(2 / 36), generator=generator)
    second = torch.empty(2, 4).normal_(std=0.01, generator=generator)
    assert torch.equal(network[0].weight, first)
    assert torch.equal(network[3].weight, second)


@schemes
def test_the_seed_alone_decides(scheme: str) -> None:
    one, other = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
    initialise(one, 5, scheme)
    initialise(other, 5, scheme)
    assert torch.equal(one.weight, other.weight)
    initialise(other, 6, scheme)
    assert not torch.equal(one.weight, other.weight)


def test_an_unknown_scheme_is_told_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match='Did you mean "lecun"'):
        initialise(nn.Conv2d(1, 1, 1), 0, "lecum")


def test_what_says_its_bias_itself_begins_with_it() -> None:
    layer = AnchorPrediction(4, anchors=2, classes=1, first_bias=-4.5)
    initialise(layer, seed=0)
    assert layer.bias is not None
    assert layer.bias.tolist() == [0, 0, 0, 0, -4.5, 0] * 2


def test_a_fresh_detector_with_anchors_says_them_in_the_middle_of_their_cells() -> None:
    scale = Scale("proxy", 64, width=0.0625, classes=2)
    network = build(preset("yolov3_tiny").blueprint, scale, seed=0)
    points = AnchorPoints.of(network.train()(torch.zeros(2, 3, 64, 64)))
    boxes = points.boxes[0].reshape(-1, 2, 2)
    torch.testing.assert_close(boxes.mean(1), points.centres, atol=1.0, rtol=0)
    torch.testing.assert_close(boxes[:, 1] - boxes[:, 0], points.anchors, rtol=0.1, atol=0)
    assert points.objectness.sigmoid().mean().item() == pytest.approx(0.01, rel=0.1)
