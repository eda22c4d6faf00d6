"""The detectors of Darknet are those of its cfg files, convolution by convolution."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import pytest
import torch
from torch import nn
from torch.nn import functional

from evonas.blueprint import plan_network
from evonas.conversion.fingerprint import filled, uniform
from evonas.models import Network, count
from evonas.models.detection.anchored import AnchorPrediction
from evonas.models.layers import ConvNormActivation
from evonas.networks.plan import Part
from evonas.presets import preset
from evonas.presets.cfg_order import in_darknet_order

# Sections of cfg files of github.com/AlexeyAB/darknet, in order: 64x3s2 is [convolutional] with
# filters=64, size=3 and stride=2, with batch norm unless ! behind it says that it has a bias; m2s2
# [maxpool]; r-1,61 [route] to layers, by /2 to the second half of their channels, and j-1,-7 one
# whose layers the network here has the other way round; u [upsample]; reorg [reorg], which moves
# pixels as the paper says; + [shortcut] from=-3; y [yolo] or [region].


def residual(channels: int, units: int) -> str:
    return f"{channels}x3s2 " + f"{channels // 2}x1 {channels}x3 + " * units


def cross_stage(channels: int, units: int) -> str:
    half = channels // 2
    inside = f"{half}x1 r-2 {half}x1 " + f"{half}x1 {half}x3 + " * units
    return f"{channels}x3s2 {inside}{half}x1 j-1,-{3 * units + 4} {channels}x1 "


def row(channels: int) -> str:
    return f"{channels}x1 {2 * channels}x3 " * 2 + f"{channels}x1 "


def halves(channels: int) -> str:
    half = channels // 2
    return f"{channels}x3 r-1/2 {half}x3 {half}x3 r-1,-2 {channels}x1 r-6,-1 m2s2 "


POOLS = "m5s1 r-2 m9s1 r-4 m13s1 r-1,-3,-5,-6 "
DARKNET_53 = "32x3 " + "".join(
    residual(*each) for each in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4))
)
CSP_DARKNET_53 = "32x3 64x3s2 64x1 r-2 64x1 32x1 64x3 + 64x1 j-1,-7 64x1 " + "".join(
    cross_stage(*each) for each in ((128, 2), (256, 8), (512, 8), (1024, 4))
)
YOLOV2 = (
    "32x3 m2s2 64x3 m2s2 128x3 64x1 128x3 m2s2 256x3 128x1 256x3 m2s2 512x3 256x1 512x3 256x1 "
    "512x3 m2s2 1024x3 512x1 1024x3 512x1 1024x3 1024x3 1024x3 r-9 64x1 reorg r-1,-4 1024x3 "
)
TINY = "16x3 m2s2 32x3 m2s2 64x3 m2s2 128x3 m2s2 256x3 m2s2 512x3 m2s1 1024x3 "


def yolov3(last: str, pools: str = "") -> str:
    coarse = f"512x1 1024x3 512x1 {pools}512x1 1024x3 512x1 " if pools else row(512)
    return (
        f"{DARKNET_53}{coarse}1024x3 {last} r-4 256x1 u r-1,61 {row(256)}512x3 {last} "
        f"r-4 128x1 u r-1,36 {row(128)}256x3 {last}"
    )


CFGS = {
    "yolov2_coco": f"{YOLOV2}425x1! y",
    "yolov2_voc": f"{YOLOV2}125x1! y",
    "yolov2_tiny_voc": f"{TINY}1024x3 125x1! y",
    "yolov3_coco": yolov3("255x1! y"),
    "yolov3_voc": yolov3("75x1! y"),
    "yolov3_tiny": f"{TINY}256x1 512x3 255x1! y r-4 128x1 u r-1,8 256x3 255x1! y",
    "yolov3_spp": yolov3("255x1! y", POOLS),
    "yolov4_coco": (
        f"{CSP_DARKNET_53}512x1 1024x3 512x1 {POOLS}512x1 1024x3 512x1 "
        f"256x1 u r85 256x1 r-1,-3 {row(256)}128x1 u r54 128x1 r-1,-3 {row(128)}"
        f"256x3 255x1! y r-4 256x3s2 r-1,-16 {row(256)}512x3 255x1! y "
        f"r-4 512x3s2 r-1,-37 {row(512)}1024x3 255x1! y"
    ),
    "yolov4_tiny": (
        f"32x3s2 64x3s2 {halves(64)}{halves(128)}{halves(256)}512x3 256x1 512x3 255x1! y "
        "r-4 128x1 u r-1,23 256x3 255x1! y"
    ),
}
# Bytes of the weights that were released with them, of which the header has 16, later 20.
RELEASED = {
    "yolov2_coco": (203_934_260, 16),
    "yolov2_tiny_voc": (63_471_556, 16),
    "yolov3_coco": (248_007_048, 20),
    "yolov3_tiny": (35_434_956, 20),
    "yolov3_spp": (252_209_544, 20),
    "yolov4_coco": (257_717_640, 20),
    "yolov4_tiny": (24_251_276, 20),
}


class Convolution(NamedTuple):
    given: int
    made: int
    kernel: int
    stride: int
    normed: bool
    side: int  # of the map that it makes


def convolutions(cfg: str, px: int) -> Iterator[Convolution]:
    """Those of a cfg, by the arithmetic of its sections."""
    shapes = [(3, px)]  # channels and side in front of the first section, then behind each
    for section in cfg.split():
        channels, side = shapes[-1]
        if found := re.fullmatch(r"(\d+)x(\d)(?:s(\d))?(!?)", section):
            made, kernel, stride = int(found[1]), int(found[2]), int(found[3] or 1)
            shapes.append((made, side // stride))
            yield Convolution(channels, made, kernel, stride, not found[4], side // stride)
        elif section[0] in "rj" and section != "reorg":
            layers, _, part = section[1:].partition("/")
            read = [int(layer) for layer in layers.split(",")]
            routed = [shapes[n if n < 0 else n + 1] for n in read]
            total = sum(each[0] for each in routed) // int(part or 1)
            shapes.append((total, routed[0][1]))
        elif section == "reorg":
            shapes.append((4 * channels, side // 2))
        else:
            factor = {"m2s2": 0.5, "u": 2}.get(section, 1)
            shapes.append((channels, int(side * factor)))


def counts(cfg: str, px: int) -> tuple[int, int, int]:
    """Parameters, multiply-adds, and channels that are normed."""
    found = list(convolutions(cfg, px))
    weights = [each.given * each.made * each.kernel**2 for each in found]
    parameters = sum(weights) + sum(each.made * (1 + each.normed) for each in found)
    macs = sum(weight * each.side**2 for weight, each in zip(weights, found, strict=True))
    return parameters, macs, sum(each.made for each in found if each.normed)


@pytest.mark.parametrize("name", RELEASED)
def test_the_cfgs_here_have_as_many_numbers_as_the_released_weights(name: str) -> None:
    size, header = RELEASED[name]
    parameters, _, normed = counts(CFGS[name], 32)
    assert 4 * (parameters + 2 * normed) == size - header  # a mean and a variance each


@pytest.mark.parametrize("name", CFGS)
def test_a_preset_has_the_parameters_and_macs_of_its_cfg(name: str) -> None:
    found = preset(name)
    counted = count(plan_network(found.blueprint, found.scale))
    expected = counts(CFGS[name], found.scale.resolution_px)
    assert (counted.parameters, counted.macs) == expected[:2]


# At other inputs, from independent implementations.
@pytest.mark.parametrize(
    ("name", "px", "macs"),
    [
        ("yolov2_coco", 608, 31_469_126_656),
        ("yolov3_coco", 416, 32_932_037_632),
        ("yolov3_coco", 608, 70_345_950_208),
        ("yolov4_coco", 512, 45_523_140_608),
        ("yolov4_coco", 608, 64_194_741_248),
    ],
)
def test_other_inputs_are_counted_too(name: str, px: int, macs: int) -> None:
    found = preset(name)
    scale = replace(found.scale, resolution_px=px)
    assert count(plan_network(found.blueprint, scale)).macs == macs


def pooled(maps: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    """As Darknet pads: one pixel more at the right and below where a window is even."""
    before, after = (kernel - 1) // 2, kernel // 2
    padded = functional.pad(maps, (before, after, before, after), value=-torch.inf)
    return functional.max_pool2d(padded, kernel, stride)


def reorganised(maps: torch.Tensor) -> torch.Tensor:
    """All channels of one pixel of a square, then those of the next."""
    batch, channels, height, width = maps.shape
    pixels = functional.pixel_unshuffle(maps, 2).reshape(batch, channels, 4, -1)
    return pixels.transpose(1, 2).reshape(batch, 4 * channels, height // 2, width // 2)


def routed(section: str, maps: list[torch.Tensor]) -> torch.Tensor:
    layers, _, part = section[1:].partition("/")
    read = [maps[n if n < 0 else n + 1] for n in map(int, layers.split(","))]
    joined = torch.cat(read[::-1] if section[0] == "j" else read, 1)
    return joined.chunk(2, 1)[1] if part else joined


OTHERS: dict[str, Callable[[list[torch.Tensor]], torch.Tensor]] = {
    "u": lambda maps: maps[-1].repeat_interleave(2, 2).repeat_interleave(2, 3),
    "+": lambda maps: maps[-1] + maps[-3],
    "reorg": lambda maps: reorganised(maps[-1]),
    "y": lambda maps: maps[-1],
}


def run(cfg: str, network: Network, images: torch.Tensor) -> list[torch.Tensor]:
    """What stands in front of each [yolo] of a cfg, with the convolutions of a network.

    They are taken in the order of Darknet's files. Where a cfg has two in a row that read the
    same, the network has one.
    """
    modules = [each for name in in_darknet_order(network.plan) for each in of_part(network, name)]
    sections, maps, second = cfg.split(), [images], list[torch.Tensor]()
    for place, section in enumerate(sections):
        if second and "x" in section:
            made = second.pop()
        elif "x" in section:
            made = modules.pop(0)(maps[-1])
            if sections[place + 1 :][:1] == ["r-2"]:
                made, other = made.chunk(2, 1)
                second.append(other)
        elif section[0] == "m":
            made = pooled(maps[-1], *map(int, section[1:].split("s")))
        else:
            made = OTHERS[section](maps) if section in OTHERS else routed(section, maps)
        maps.append(made)
    assert not modules
    return [each for each, section in zip(maps[1:], sections, strict=True) if section == "y"]


def of_part(network: Network, part: Part) -> Iterator[nn.Module]:
    for module in getattr(network, part.name).modules():
        if isinstance(module, ConvNormActivation | AnchorPrediction):
            yield module


@pytest.mark.parametrize("name", CFGS)
def test_a_preset_computes_what_its_cfg_does(name: str) -> None:
    found = preset(name)
    plan = plan_network(found.blueprint, replace(found.scale, resolution_px=64, width=0.25))
    network = filled(Network(plan.giving("points")))
    images = 2 * uniform(3 * 64 * 64).view(1, 3, 64, 64) - 1
    anchors = found.blueprint.network["head"].get("anchors", 3)
    with torch.no_grad():
        points = network(images)
        expected = run(CFGS[name], network, images)
    rows = [each.unflatten(1, (anchors, -1)).permute(0, 3, 4, 1, 2) for each in expected]
    rows.sort(key=lambda each: -each.shape[1])
    torch.testing.assert_close(points, torch.cat([row.flatten(1, 3) for row in rows], 1))


@pytest.mark.parametrize("name", CFGS)
def test_norms_and_activations_are_darknets(name: str) -> None:
    found = preset(name)
    with torch.device("meta"):
        modules = [*Network(plan_network(found.blueprint, found.scale)).modules()]
    assert {each.eps for each in modules if isinstance(each, nn.BatchNorm2d)} == {1e-5}
    slopes = [each.negative_slope for each in modules if isinstance(each, nn.LeakyReLU)]
    assert {*slopes} == {0.1}
    if name == "yolov4_coco":  # 72 of its cfg, of which five pairs are one each
        assert sum(isinstance(each, nn.Mish) for each in modules) == 67
        assert len(slopes) == 35
