"""YOLOv3 with adaptive fusion is YOLOv3-SPP but for what its authors put in place of the heads."""

import pytest

from evonas.blueprint import plan_network
from evonas.models import Count, count, count_layers
from evonas.networks import Scale
from evonas.presets import preset

PX = 416  # px
FINE, MIDDLE, COARSE = PX // 8, PX // 16, PX // 32


def convolution(given: int, made: int, kernel: int, side: int, bias: bool = False) -> Count:
    """Of maps of this side; with two numbers a channel for its norm, or one for its bias."""
    weights = given * made * kernel * kernel
    return Count(weights + made * (1 if bias else 2), weights * side * side)


def fusion(channels: int, side: int) -> list[Count]:
    """What each pixel of three maps counts."""
    return [*[convolution(channels, 16, 1, side)] * 3, convolution(48, 3, 1, side, bias=True)]


# What is new, by level: resizing as far as there are convolutions, shares, expansion.
ASFF = {
    3: [*[convolution(256, 512, 3, COARSE)] * 2, convolution(512, 1024, 3, COARSE)],
    2: [
        *(convolution(512, 256, 1, COARSE), convolution(256, 256, 3, MIDDLE)),
        convolution(256, 512, 3, MIDDLE),
    ],
    1: [convolution(512, 256, 1, COARSE), convolution(256, 256, 3, FINE)],
}
ASFF[3] += fusion(512, COARSE)
ASFF[2] += fusion(256, MIDDLE)
ASFF[1] += fusion(256, FINE)
HEADS = [
    *(convolution(512, 1024, 3, COARSE), convolution(256, 512, 3, MIDDLE)),
    convolution(128, 256, 3, FINE),
]


def total(counts: list[Count]) -> Count:
    return sum(counts, start=Count(0, 0))


@pytest.mark.parametrize(("level", "parameters"), [(3, 7_106_803), (2, 1_915_123), (1, 734_451)])
def test_each_level_has_the_published_module(level: int, parameters: int) -> None:
    assert total(ASFF[level]).parameters == parameters
    plan = plan_network(preset("yolov3_asff").blueprint, Scale("full", PX, classes=80))
    rows = [row.count for row in count_layers(plan) if row.name.startswith(f"asff_{level}")]
    assert total(rows) == total(ASFF[level])


def test_it_is_yolov3_spp_whose_heads_gave_their_convolutions_away() -> None:
    scale = Scale("full", PX, classes=80)
    spp, asff = (
        count(plan_network(preset(name).blueprint, scale).as_deployed())
        for name in ("yolov3_spp", "yolov3_asff")
    )
    widened = convolution(128, 256, 3, FINE)  # the finest level, before it is fused
    new = total([widened, *(each for level in ASFF.values() for each in level)])
    assert asff + total(HEADS) == spp + new
    assert asff.parameters == 66_853_814
