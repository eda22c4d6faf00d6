"""Networks of mobile blocks as torchvision and timm compute them, by the names of their tensors."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from given_weights import GivenWeights
from torch.nn import functional

from evonas.networks.scale import round8

Act = Callable[[torch.Tensor], torch.Tensor]
Maps = torch.Tensor


def means(maps: Maps) -> Maps:
    return maps.mean((2, 3))


def gated(
    w: GivenWeights, maps: Maps, names: tuple[str, str], inner: int, act: Act, gate: Act
) -> Maps:
    """Squeeze and excitation by two 1x1 convolutions."""
    seen = act(w.conv(maps.mean((2, 3), keepdim=True), names[0], inner, bias=True))
    return maps * gate(w.conv(seen, names[1], maps.shape[1], bias=True))


class Stage(NamedTuple):
    """Blocks: channels, kernel, stride of the first, expansion, how many, share squeezed to."""

    channels: int
    kernel: int
    stride: int
    expansion: float
    layers: int
    squeeze: float = 0


MNASNET = (
    *(Stage(24, 3, 2, 3, 3), Stage(40, 5, 2, 3, 3), Stage(80, 5, 2, 6, 3)),
    *(Stage(96, 3, 1, 6, 2), Stage(192, 5, 2, 6, 4), Stage(320, 3, 1, 6, 1)),
)
MNASNET_A1 = (
    *(Stage(24, 3, 2, 6, 2), Stage(40, 5, 2, 3, 3, 0.25), Stage(80, 3, 2, 6, 4)),
    *(Stage(112, 3, 1, 6, 2, 0.25), Stage(160, 5, 2, 6, 3, 0.25), Stage(320, 3, 1, 6, 1)),
)
MOBILENET_V2 = (
    *(Stage(24, 3, 2, 6, 2), Stage(32, 3, 2, 6, 3), Stage(64, 3, 2, 6, 4)),
    *(Stage(96, 3, 1, 6, 3), Stage(160, 3, 2, 6, 3), Stage(320, 3, 1, 6, 1)),
)
EFFICIENTNET = (
    *(Stage(24, 3, 2, 6, 2, 0.25), Stage(40, 5, 2, 6, 2, 0.25), Stage(80, 3, 2, 6, 3, 0.25)),
    *(Stage(112, 5, 1, 6, 3, 0.25), Stage(192, 5, 2, 6, 4, 0.25), Stage(320, 3, 1, 6, 1, 0.25)),
)
# Of each block: kernel, expanded channels, channels, whether it squeezes, hard swish, stride.
MOBILENET_V3 = (
    *((3, 16, 16, 0, 0, 1), (3, 64, 24, 0, 0, 2), (3, 72, 24, 0, 0, 1), (5, 72, 40, 1, 0, 2)),
    *((5, 120, 40, 1, 0, 1), (5, 120, 40, 1, 0, 1), (3, 240, 80, 0, 1, 2), (3, 200, 80, 0, 1, 1)),
    *((3, 184, 80, 0, 1, 1), (3, 184, 80, 0, 1, 1), (3, 480, 112, 1, 1, 1)),
    *((3, 672, 112, 1, 1, 1), (5, 672, 160, 1, 1, 2), (5, 960, 160, 1, 1, 1)),
    *((5, 960, 160, 1, 1, 1),),
)


def mnasnet(w: GivenWeights, x: Maps) -> Maps:
    """torchvision's mnasnet1_0."""
    act = torch.relu
    x = act(w.norm(w.conv(x, "layers.0", 32, 3, 2), "layers.1"))
    x = act(w.norm(w.conv(x, "layers.3", 32, 3, groups=32), "layers.4"))
    x = w.norm(w.conv(x, "layers.6", 16), "layers.7")
    for number, stage in enumerate(MNASNET, 8):
        for index in range(stage.layers):
            name, given = f"layers.{number}.{index}.layers", x
            inner = int(x.shape[1] * stage.expansion)
            stride = 1 if index else stage.stride
            x = act(w.norm(w.conv(x, f"{name}.0", inner), f"{name}.1"))
            x = w.conv(x, f"{name}.3", inner, stage.kernel, stride, groups=inner)
            x = act(w.norm(x, f"{name}.4"))
            x = w.norm(w.conv(x, f"{name}.6", stage.channels), f"{name}.7")
            x = x + given if index else x
    x = act(w.norm(w.conv(x, "layers.14", 1280), "layers.15"))
    return w.linear(means(x), "classifier.1", 1000)


def mobilenet_v2(w: GivenWeights, x: Maps) -> Maps:
    """torchvision's mobilenet_v2."""
    act = functional.relu6

    def depthwise(x: Maps, name: str, channels: int, kernel: int, stride: int) -> Maps:
        inner = x.shape[1]
        x = act(w.norm(w.conv(x, f"{name}.0.0", inner, kernel, stride, inner), f"{name}.0.1"))
        return w.norm(w.conv(x, f"{name}.1", channels), f"{name}.2")

    x = act(w.norm(w.conv(x, "features.0.0", 32, 3, 2), "features.0.1"))
    x = depthwise(x, "features.1.conv", 16, 3, 1)
    number = 2
    for stage in MOBILENET_V2:
        for index in range(stage.layers):
            name, given = f"features.{number}.conv", x
            stride, inner = 1 if index else stage.stride, int(x.shape[1] * stage.expansion)
            x = act(w.norm(w.conv(x, f"{name}.0.0", inner), f"{name}.0.1"))
            x = w.conv(x, f"{name}.1.0", inner, stage.kernel, stride, inner)
            x = act(w.norm(x, f"{name}.1.1"))
            x = w.norm(w.conv(x, f"{name}.2", stage.channels), f"{name}.3")
            x = x + given if index else x
            number += 1
    x = act(w.norm(w.conv(x, "features.18.0", 1280), "features.18.1"))
    return w.linear(means(x), "classifier.1", 1000)


def mobilenet_v3(w: GivenWeights, x: Maps) -> Maps:
    """torchvision's mobilenet_v3_large."""

    def normed(x: Maps, name: str, act: Act | None) -> Maps:
        x = w.norm(x, f"{name}.1", 0.001)
        return x if act is None else act(x)

    x = normed(w.conv(x, "features.0.0", 16, 3, 2), "features.0", functional.hardswish)
    for number, (kernel, inner, channels, squeezes, hard, stride) in enumerate(MOBILENET_V3, 1):
        act, given, block = functional.hardswish if hard else torch.relu, x, 0
        name = f"features.{number}.block"
        if inner != x.shape[1]:
            x = normed(w.conv(x, f"{name}.0.0", inner), f"{name}.0", act)
            block = 1
        x = w.conv(x, f"{name}.{block}.0", inner, kernel, stride, inner)
        x = normed(x, f"{name}.{block}", act)
        if squeezes:
            block += 1
            gates = (f"{name}.{block}.fc1", f"{name}.{block}.fc2")
            x = gated(w, x, gates, round8(inner / 4), torch.relu, functional.hardsigmoid)
        x = normed(w.conv(x, f"{name}.{block + 1}.0", channels), f"{name}.{block + 1}", None)
        x = x + given if stride == 1 and x.shape == given.shape else x
    x = normed(w.conv(x, "features.16.0", 960), "features.16", functional.hardswish)
    x = functional.hardswish(w.linear(means(x), "classifier.0", 1280))
    return w.linear(x, "classifier.3", 1000)


def efficientnet(w: GivenWeights, x: Maps, width: float = 1, depth: float = 1) -> Maps:
    """torchvision's efficientnet_b0, and its like."""
    act = functional.silu
    x = act(w.norm(w.conv(x, "features.0.0", round8(32 * width), 3, 2), "features.0.1"))
    for number, stage in enumerate((Stage(16, 3, 1, 1, 1, 0.25), *EFFICIENTNET), 1):
        for index in range(math.ceil(stage.layers * depth)):
            name, given, block = f"features.{number}.{index}.block", x, 0
            stride, inner = 1 if index else stage.stride, int(x.shape[1] * stage.expansion)
            if stage.expansion != 1:
                x = act(w.norm(w.conv(x, f"{name}.0.0", inner), f"{name}.0.1"))
                block = 1
            x = w.conv(x, f"{name}.{block}.0", inner, stage.kernel, stride, inner)
            x = act(w.norm(x, f"{name}.{block}.1"))
            gates = (f"{name}.{block + 1}.fc1", f"{name}.{block + 1}.fc2")
            x = gated(w, x, gates, given.shape[1] // 4, act, torch.sigmoid)
            last = f"{name}.{block + 2}"
            x = w.norm(w.conv(x, f"{last}.0", round8(stage.channels * width)), f"{last}.1")
            x = x + given if index else x
    x = act(w.norm(w.conv(x, "features.8.0", round8(1280 * width)), "features.8.1"))
    return w.linear(means(x), "classifier.1", 1000)


def timm_mobile(
    w: GivenWeights, x: Maps, stages: tuple[Stage, ...], act: Act, first: float = 0
) -> Maps:
    """timm's mnasnet_100, semnasnet_100, mobilenetv2_100 and efficientnet_b0.

    Args:
        first: The share that the first block is squeezed to.
    """
    x = act(w.norm(w.conv(x, "conv_stem", 32, 3, 2), "bn1"))
    x = separable(w, x, "blocks.0.0", 16, 1, act, first)
    for number, stage in enumerate(stages, 1):
        for index in range(stage.layers):
            name, given = f"blocks.{number}.{index}", x
            stride, inner = 1 if index else stage.stride, int(x.shape[1] * stage.expansion)
            x = act(w.norm(w.conv(x, f"{name}.conv_pw", inner), f"{name}.bn1"))
            x = w.conv(x, f"{name}.conv_dw", inner, stage.kernel, stride, inner)
            x = act(w.norm(x, f"{name}.bn2"))
            if stage.squeeze:
                x = squeezed(w, x, name, int(given.shape[1] * stage.squeeze), act)
            x = w.norm(w.conv(x, f"{name}.conv_pwl", stage.channels), f"{name}.bn3")
            x = x + given if index else x
    x = act(w.norm(w.conv(x, "conv_head", 1280), "bn2"))
    return w.linear(means(x), "classifier", 1000)


def separable(
    w: GivenWeights,
    x: Maps,
    name: str,
    channels: int,
    stride: int,
    act: Act,
    squeeze: float = 0,
) -> Maps:
    """timm's depthwise-separable block, linear at its end."""
    given = x.shape[1]
    x = act(w.norm(w.conv(x, f"{name}.conv_dw", given, 3, stride, given), f"{name}.bn1"))
    if squeeze:
        x = squeezed(w, x, name, int(given * squeeze), act)
    return w.norm(w.conv(x, f"{name}.conv_pw", channels), f"{name}.bn2")


def squeezed(w: GivenWeights, x: Maps, name: str, inner: int, act: Act) -> Maps:
    gates = (f"{name}.se.conv_reduce", f"{name}.se.conv_expand")
    return gated(w, x, gates, inner, act, torch.sigmoid)


def mobilenet_v1(w: GivenWeights, x: Maps) -> Maps:
    """timm's mobilenetv1_100."""
    act = functional.relu6
    x = act(w.norm(w.conv(x, "conv_stem", 32, 3, 2), "bn1"))
    for number, (channels, layers) in enumerate(((64, 1), (128, 2), (256, 2), (512, 6), (1024, 2))):
        for index in range(layers):
            stride = 2 if number and not index else 1
            x = act(separable(w, x, f"blocks.{number}.{index}", channels, stride, act))
    return w.linear(means(x), "classifier", 1000)


def shufflenet(w: GivenWeights, x: Maps) -> Maps:
    """torchvision's shufflenet_v2_x1_0."""
    x = torch.relu(w.norm(w.conv(x, "conv1.0", 24, 3, 2), "conv1.1"))
    x = functional.max_pool2d(x, 3, 2, 1)

    def long(x: Maps, name: str, half: int, stride: int) -> Maps:
        x = torch.relu(w.norm(w.conv(x, f"{name}.0", half), f"{name}.1"))
        x = w.norm(w.conv(x, f"{name}.3", half, 3, stride, half), f"{name}.4")
        return torch.relu(w.norm(w.conv(x, f"{name}.5", half), f"{name}.6"))

    for number, (channels, layers) in enumerate(((116, 4), (232, 8), (464, 4)), 2):
        half = channels // 2
        for index in range(layers):
            name = f"stage{number}.{index}"
            if index:
                short, given, stride = x[:, :half], x[:, half:], 1
            else:
                side, given, stride = x.shape[1], x, 2
                short = w.norm(
                    w.conv(x, f"{name}.branch1.0", side, 3, 2, side), f"{name}.branch1.1"
                )
                short = w.norm(w.conv(short, f"{name}.branch1.2", half), f"{name}.branch1.3")
                short = torch.relu(short)
            both = torch.cat([short, long(given, f"{name}.branch2", half, stride)], 1)
            x = both.unflatten(1, (2, half)).transpose(1, 2).flatten(1, 2)
    x = torch.relu(w.norm(w.conv(x, "conv5.0", 1024), "conv5.1"))
    return w.linear(means(x), "fc", 1000)


def squeezenet(w: GivenWeights, x: Maps) -> Maps:
    """torchvision's squeezenet1_1."""
    x = torch.relu(w.conv(x, "features.0", 64, 3, 2, bias=True, padding=0))
    sizes = {3: 16, 4: 16, 6: 32, 7: 32, 9: 48, 10: 48, 11: 64, 12: 64}
    for number in range(2, 13):
        name = f"features.{number}"
        if number in (2, 5, 8):
            x = functional.max_pool2d(x, 3, 2, ceil_mode=True)
            continue
        x = torch.relu(w.conv(x, f"{name}.squeeze", sizes[number], bias=True))
        wide = 4 * sizes[number]
        expands = [(f"{name}.expand1x1", 1), (f"{name}.expand3x3", 3)]
        x = torch.cat([torch.relu(w.conv(x, to, wide, side, bias=True)) for to, side in expands], 1)
    return means(torch.relu(w.conv(x, "classifier.1", 1000, bias=True)))
