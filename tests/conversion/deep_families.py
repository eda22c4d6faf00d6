"""Residual, dense and plain networks as torchvision and timm compute them, by their names."""

from collections.abc import Sequence

import torch
from given_weights import GivenWeights
from mobile_families import Maps, gated, means
from torch.nn import functional


def relu_norm(w: GivenWeights, x: Maps, name: str, eps: float = 1e-5) -> Maps:
    return torch.relu(w.norm(x, name, eps))


def pooled(x: Maps) -> Maps:
    return functional.max_pool2d(x, 3, 2, 1)


def resnet(
    w: GivenWeights,
    x: Maps,
    layers: Sequence[int],
    is_deep: bool = True,
    groups: int = 1,
    width: int = 64,
    squeeze: int = 0,
) -> Maps:
    """torchvision's resnet18 to resnext101_64x4d; timm's likewise, and with gates, seresnet50."""
    x = pooled(relu_norm(w, w.conv(x, "conv1", 64, 7, 2), "bn1"))
    for number, count in enumerate(layers):
        planes = 64 * 2**number
        channels, inner = (4 * planes, planes * width // 64 * groups) if is_deep else (planes,) * 2
        for index in range(count):
            name, given, stride = f"layer{number + 1}.{index}", x, 2 if number and not index else 1
            sides = [(1, 1), (3, stride), (1, 1)] if is_deep else [(3, stride), (3, 1)]
            for place, (side, step) in enumerate(sides, 1):
                is_last = place == len(sides)
                parts = groups if is_deep and place == 2 else 1
                made = channels if is_last else inner
                x = w.norm(
                    w.conv(x, f"{name}.conv{place}", made, side, step, parts), f"{name}.bn{place}"
                )
                x = x if is_last else torch.relu(x)
            if squeeze:
                gates = (f"{name}.se.fc1", f"{name}.se.fc2")
                x = gated(w, x, gates, channels // squeeze, torch.relu, torch.sigmoid)
            if x.shape != given.shape:
                given = w.conv(given, f"{name}.downsample.0", channels, 1, stride)
                given = w.norm(given, f"{name}.downsample.1")
            x = torch.relu(x + given)
    return w.linear(means(x), "fc", 1000)


def resnetv2(w: GivenWeights, x: Maps) -> Maps:
    """timm's resnetv2_50, with batch norm; a downsampling stands in front of its block."""
    x = pooled(w.conv(x, "stem.conv", 64, 7, 2))
    for number, count in enumerate((3, 4, 6, 3)):
        inner, channels = 64 * 2**number, 256 * 2**number
        for index in range(count):
            name, stride = f"stages.{number}.blocks.{index}", 2 if number and not index else 1
            ready = relu_norm(w, x, f"{name}.norm1")
            given = x if index else w.conv(ready, f"{name}.downsample.conv", channels, 1, stride)
            x = w.conv(ready, f"{name}.conv1", inner)
            x = w.conv(relu_norm(w, x, f"{name}.norm2"), f"{name}.conv2", inner, 3, stride)
            x = given + w.conv(relu_norm(w, x, f"{name}.norm3"), f"{name}.conv3", channels)
    x = relu_norm(w, x, "norm").mean((2, 3), keepdim=True)
    return w.conv(x, "head.fc", 1000, bias=True).flatten(1)


def resnest(w: GivenWeights, x: Maps, layers: Sequence[int]) -> Maps:
    """timm's resnest14d and its like."""
    x = relu_norm(w, w.conv(x, "conv1.0", 32, 3, 2), "conv1.1")
    x = relu_norm(w, w.conv(x, "conv1.3", 32, 3), "conv1.4")
    x = pooled(relu_norm(w, w.conv(x, "conv1.6", 64, 3), "bn1"))
    for number, count in enumerate(layers):
        inner, channels = 64 * 2**number, 256 * 2**number
        for index in range(count):
            name, given, stride = f"layer{number + 1}.{index}", x, 2 if number and not index else 1
            x = relu_norm(w, w.conv(x, f"{name}.conv1", inner), f"{name}.bn1")
            x = split_attention(w, x, f"{name}.conv2", inner)
            x = functional.avg_pool2d(x, 3, 2, 1) if stride == 2 else x
            x = w.norm(w.conv(x, f"{name}.conv3", channels), f"{name}.bn3")
            if not index:
                given = functional.avg_pool2d(given, 2) if stride == 2 else given
                given = w.conv(given, f"{name}.downsample.1", channels)
                given = w.norm(given, f"{name}.downsample.2")
            x = torch.relu(x + given)
    return w.linear(means(x), "fc", 1000)


def split_attention(w: GivenWeights, x: Maps, name: str, channels: int) -> Maps:
    """Of two versions."""
    both = relu_norm(w, w.conv(x, f"{name}.conv", 2 * channels, 3, groups=2), f"{name}.bn0")
    both = both.unflatten(1, (2, channels))
    seen = both.sum(1).mean((2, 3), keepdim=True)
    hidden = max(channels // 2, 32)
    seen = relu_norm(w, w.conv(seen, f"{name}.fc1", hidden, bias=True), f"{name}.bn1")
    weights = w.conv(seen, f"{name}.fc2", 2 * channels, bias=True).unflatten(1, (2, channels))
    return (both * weights.softmax(1)).sum(1)


def densenet(w: GivenWeights, x: Maps, layers: Sequence[int], first: int, growth: int) -> Maps:
    """torchvision's and timm's densenet121 and its like."""
    x = pooled(relu_norm(w, w.conv(x, "features.conv0", first, 7, 2), "features.norm0"))
    for block, count in enumerate(layers, 1):
        for layer in range(1, count + 1):
            name, given = f"features.denseblock{block}.denselayer{layer}", x
            x = w.conv(relu_norm(w, x, f"{name}.norm1"), f"{name}.conv1", 4 * growth)
            x = w.conv(relu_norm(w, x, f"{name}.norm2"), f"{name}.conv2", growth, 3)
            x = torch.cat([given, x], 1)
        if block < len(layers):
            name = f"features.transition{block}"
            x = w.conv(relu_norm(w, x, f"{name}.norm"), f"{name}.conv", x.shape[1] // 2)
            x = functional.avg_pool2d(x, 2)
    return w.linear(means(relu_norm(w, x, "features.norm5")), "classifier", 1000)


def dpn68(w: GivenWeights, x: Maps) -> Maps:
    """timm's dpn68."""

    def normed(x: Maps, name: str, channels: int, side: int = 1, step: int = 1, groups: int = 1):  # type: ignore[no-untyped-def]
        return w.conv(
            relu_norm(w, x, f"{name}.bn", 0.001), f"{name}.conv", channels, side, step, groups
        )

    x = w.conv(x, "features.conv1_1.conv", 10, 3, 2)
    x = pooled(relu_norm(w, x, "features.conv1_1.bn", 0.001))
    for number, (count, growth) in enumerate(((3, 16), (4, 32), (12, 32), (3, 64)), 2):
        channels, inner = 16 * 2**number, 32 * 2**number
        for index in range(1, count + 1):
            name, stride, given = f"features.conv{number}_{index}", 1, x
            if index == 1:
                stride = 1 if number == 2 else 2
                given = normed(x, f"{name}.c1x1_w_s{stride}", channels + 2 * growth, 1, stride)
            x = normed(x, f"{name}.c1x1_a", inner)
            x = normed(x, f"{name}.c3x3_b", inner, 3, stride, 32)
            x = normed(x, f"{name}.c1x1_c", channels + growth)
            added = given[:, :channels] + x[:, :channels]
            x = torch.cat([added, given[:, channels:], x[:, channels:]], 1)
    x = relu_norm(w, x, "features.conv5_bn_ac.bn", 0.001).mean((2, 3), keepdim=True)
    return w.conv(x, "classifier", 1000, bias=True).flatten(1)


def darknet(w: GivenWeights, x: Maps, is_partial: bool) -> Maps:
    """timm's darknet53, and cspdarknet53."""
    slope = 0.01 if is_partial else 0.1

    def normed(x: Maps, name: str, channels: int, side: int = 1, stride: int = 1) -> Maps:
        x = w.norm(w.conv(x, f"{name}.conv", channels, side, stride), f"{name}.bn")
        return functional.leaky_relu(x, slope)

    x = normed(x, "stem.conv1", 32, 3)
    for number, count in enumerate((1, 2, 8, 8, 4)):
        name, channels = f"stages.{number}", 64 * 2**number
        x = normed(x, f"{name}.conv_down", channels, 3, 2)
        part = inner = channels
        around = None
        if is_partial:
            part = inner = channels if number == 0 else channels // 2
            x = normed(x, f"{name}.conv_exp", 2 * part)
            around, x = x[:, :part], x[:, part:]
        inner = part // 2 if number == 0 or not is_partial else part
        for index in range(count):
            given, block = x, f"{name}.blocks.{index}"
            x = given + normed(normed(x, f"{block}.conv1", inner), f"{block}.conv2", part, 3)
        if around is not None:
            x = torch.cat([around, normed(x, f"{name}.conv_transition_b", part)], 1)
            x = normed(x, f"{name}.conv_transition", channels)
    return w.linear(means(x), "head.fc", 1000)


def xception(w: GivenWeights, x: Maps) -> Maps:
    """timm's legacy_xception."""

    def separable(x: Maps, name: str, channels: int) -> Maps:
        return w.conv(
            w.conv(x, f"{name}.conv1", x.shape[1], 3, groups=x.shape[1]),
            f"{name}.pointwise",
            channels,
        )

    def block(x: Maps, name: str, channels: Sequence[int], stride: int, starts: bool) -> Maps:
        skipped = x
        if stride != 1 or channels[-1] != x.shape[1]:
            skipped = w.norm(w.conv(x, f"{name}.skip", channels[-1], 1, stride), f"{name}.skipbn")
        place = 0
        for index, count in enumerate(channels):
            if index or starts:
                x, place = torch.relu(x), place + 1
            x = w.norm(separable(x, f"{name}.rep.{place}", count), f"{name}.rep.{place + 1}")
            place += 2
        return skipped + (functional.max_pool2d(x, 3, stride, 1) if stride != 1 else x)

    x = relu_norm(w, w.conv(x, "conv1", 32, 3, 2, padding=0), "bn1")
    x = relu_norm(w, w.conv(x, "conv2", 64, 3, padding=0), "bn2")
    for number, count in enumerate((128, 256, 728), 1):
        x = block(x, f"block{number}", (count, count), 2, number > 1)
    for number in range(4, 12):
        x = block(x, f"block{number}", (728, 728, 728), 1, True)
    x = block(x, "block12", (728, 1024), 2, True)
    x = relu_norm(w, separable(x, "conv3", 1536), "bn3")
    x = relu_norm(w, separable(x, "conv4", 2048), "bn4")
    return w.linear(means(x), "fc", 1000)


def vgg(w: GivenWeights, x: Maps, rows: Sequence[Sequence[int]], is_normed: bool = False) -> Maps:
    """torchvision's vgg11 and its like, of images so small that a map of one pixel is left."""
    place = 0
    for row in rows:
        for channels in row:
            x = w.conv(x, f"features.{place}", channels, 3, bias=True)
            x = w.norm(x, f"features.{place + 1}") if is_normed else x
            x, place = torch.relu(x), place + (3 if is_normed else 2)
        x, place = functional.max_pool2d(x, 2), place + 1
    x = torch.relu(w.linear(x.flatten(1), "classifier.0", 4096))
    x = torch.relu(w.linear(x, "classifier.3", 4096))
    return w.linear(x, "classifier.6", 10)
