"""GoogLeNet and Inception-v3 as torchvision computes them, by the names of their tensors."""

import torch
from deep_families import relu_norm
from given_weights import GivenWeights
from mobile_families import Maps, means
from torch.nn import functional

Kernel = int | tuple[int, int]
EPS = 0.001

# Of each module: 1x1; 1x1 and 3x3; 1x1 and the other 3x3; behind a pooling.
GOOGLENET = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def normed(
    w: GivenWeights,
    x: Maps,
    name: str,
    channels: int,
    kernel: Kernel = 1,
    stride: int = 1,
    padding: int | None = None,
) -> Maps:
    x = w.conv(x, f"{name}.conv", channels, kernel, stride, padding=padding)
    return relu_norm(w, x, f"{name}.bn", EPS)


def googlenet(w: GivenWeights, x: Maps) -> Maps:
    """torchvision's googlenet, with the auxiliary classifiers of its file."""
    x = functional.max_pool2d(normed(w, x, "conv1", 64, 7, 2), 3, 2, ceil_mode=True)
    x = normed(w, normed(w, x, "conv2", 64), "conv3", 192, 3)
    x = functional.max_pool2d(x, 3, 2, ceil_mode=True)
    kept = {}
    for name, (one, before, three, reduce, other, behind) in GOOGLENET.items():
        module = f"inception{name}"
        branches = [
            normed(w, x, f"{module}.branch1", one),
            normed(w, normed(w, x, f"{module}.branch2.0", before), f"{module}.branch2.1", three, 3),
            normed(w, normed(w, x, f"{module}.branch3.0", reduce), f"{module}.branch3.1", other, 3),
            normed(w, functional.max_pool2d(x, 3, 1, 1), f"{module}.branch4.1", behind),
        ]
        x = kept[name] = torch.cat(branches, 1)
        if name in ("3b", "4e"):
            side = 3 if name == "3b" else 2
            x = functional.max_pool2d(x, side, 2, ceil_mode=True)
    for name, module in (("aux1", "4a"), ("aux2", "4d")):
        seen = functional.adaptive_avg_pool2d(kept[module], 4)
        seen = normed(w, seen, f"{name}.conv", 128).flatten(1)
        w.linear(w.linear(seen, f"{name}.fc1", 1024), f"{name}.fc2", 1000)
    return w.linear(means(x), "fc", 1000)


def row(w: GivenWeights, x: Maps, *steps: tuple[str, int, Kernel]) -> Maps:
    for name, channels, kernel in steps:
        x = normed(w, x, name, channels, kernel)
    return x


def inception_v3(w: GivenWeights, x: Maps) -> Maps:
    """torchvision's and timm's inception_v3, with the auxiliary classifier of its file."""
    x = normed(w, x, "Conv2d_1a_3x3", 32, 3, 2, 0)
    x = normed(w, normed(w, x, "Conv2d_2a_3x3", 32, 3, 1, 0), "Conv2d_2b_3x3", 64, 3)
    x = normed(w, functional.max_pool2d(x, 3, 2), "Conv2d_3b_1x1", 80)
    x = functional.max_pool2d(normed(w, x, "Conv2d_4a_3x3", 192, 3, 1, 0), 3, 2)
    for letter, count in zip("bcd", (32, 64, 64), strict=True):
        x = _module_a(w, x, f"Mixed_5{letter}", count)
    x = _module_b(w, x, "Mixed_6a")
    for letter, count in zip("bcde", (128, 160, 160, 192), strict=True):
        x = _module_c(w, x, f"Mixed_6{letter}", count)
    seen = normed(w, functional.adaptive_avg_pool2d(x, 5), "AuxLogits.conv0", 128)
    w.linear(normed(w, seen, "AuxLogits.conv1", 768, 5, 1, 0).flatten(1), "AuxLogits.fc", 1000)
    x = _module_d(w, x, "Mixed_7a")
    x = _module_e(w, _module_e(w, x, "Mixed_7b"), "Mixed_7c")
    return w.linear(means(x), "fc", 1000)


def _averaged(x: Maps) -> Maps:
    return functional.avg_pool2d(x, 3, 1, 1)


def _module_a(w: GivenWeights, x: Maps, at: str, count: int) -> Maps:
    double = [
        (f"{at}.branch3x3dbl_{number}", channels, side)
        for number, channels, side in ((1, 64, 1), (2, 96, 3), (3, 96, 3))
    ]
    branches = [
        normed(w, x, f"{at}.branch1x1", 64),
        row(w, x, (f"{at}.branch5x5_1", 48, 1), (f"{at}.branch5x5_2", 64, 5)),
        row(w, x, *double),
        normed(w, _averaged(x), f"{at}.branch_pool", count),
    ]
    return torch.cat(branches, 1)


def _module_b(w: GivenWeights, x: Maps, at: str) -> Maps:
    single = normed(w, x, f"{at}.branch3x3", 384, 3, 2, 0)
    double = row(w, x, (f"{at}.branch3x3dbl_1", 64, 1), (f"{at}.branch3x3dbl_2", 96, 3))
    double = normed(w, double, f"{at}.branch3x3dbl_3", 96, 3, 2, 0)
    return torch.cat([single, double, functional.max_pool2d(x, 3, 2)], 1)


def _module_c(w: GivenWeights, x: Maps, at: str, count: int) -> Maps:
    wide, tall = (1, 7), (7, 1)
    single, double = f"{at}.branch7x7", f"{at}.branch7x7dbl"
    branches = [
        normed(w, x, f"{at}.branch1x1", 192),
        row(
            w,
            x,
            (f"{single}_1", count, 1),
            (f"{single}_2", count, wide),
            (f"{single}_3", 192, tall),
        ),
        row(
            w,
            x,
            *(
                (f"{double}_1", count, 1),
                (f"{double}_2", count, tall),
                (f"{double}_3", count, wide),
            ),
            *((f"{double}_4", count, tall), (f"{double}_5", 192, wide)),
        ),
        normed(w, _averaged(x), f"{at}.branch_pool", 192),
    ]
    return torch.cat(branches, 1)


def _module_d(w: GivenWeights, x: Maps, at: str) -> Maps:
    small = normed(w, x, f"{at}.branch3x3_1", 192)
    small = normed(w, small, f"{at}.branch3x3_2", 320, 3, 2, 0)
    large = f"{at}.branch7x7x3"
    long = row(
        w, x, (f"{large}_1", 192, 1), (f"{large}_2", 192, (1, 7)), (f"{large}_3", 192, (7, 1))
    )
    long = normed(w, long, f"{large}_4", 192, 3, 2, 0)
    return torch.cat([small, long, functional.max_pool2d(x, 3, 2)], 1)


def _module_e(w: GivenWeights, x: Maps, at: str) -> Maps:
    def both(x: Maps, name: str) -> Maps:
        return torch.cat(
            [normed(w, x, f"{name}a", 384, (1, 3)), normed(w, x, f"{name}b", 384, (3, 1))], 1
        )

    double = f"{at}.branch3x3dbl"
    branches = [
        normed(w, x, f"{at}.branch1x1", 320),
        both(normed(w, x, f"{at}.branch3x3_1", 384), f"{at}.branch3x3_2"),
        both(row(w, x, (f"{double}_1", 448, 1), (f"{double}_2", 384, 3)), f"{double}_3"),
        normed(w, _averaged(x), f"{at}.branch_pool", 192),
    ]
    return torch.cat(branches, 1)
