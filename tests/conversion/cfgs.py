"""Darknet's networks as its cfg files list them, run and written without anything of evonas.

A cfg here is a list of `Conv`, `Connected`, `Route`, `Shortcut` and words. What a file holds is
written as Darknet's save_weights does, with numbers that follow from a seed.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "linear": lambda maps: maps,
    "leaky": lambda maps: functional.leaky_relu(maps, 0.1),
    "relu": functional.relu,
    "mish": functional.mish,
}


@dataclass(frozen=True)
class Conv:
    filters: int
    size: int
    stride: int = 1
    activation: str = "leaky"
    batch_normalize: bool = True


@dataclass(frozen=True)
class Connected:
    output: int
    activation: str = "relu"


@dataclass(frozen=True)
class Route:
    layers: tuple[int, ...]  # behind this one if negative
    groups: int = 1
    group: int = 0


@dataclass(frozen=True)
class Shortcut:
    of: int = -3


@dataclass(frozen=True)
class MaxPool:
    size: int = 2
    stride: int = 2


IMAGES_SEEN = 32_013_312

Cfg = list[Any]
AVERAGE, UPSAMPLE, REORG, YOLO = "avgpool", "upsample", "reorg", "yolo"


def darknet19(width: float = 1, classes: int = 1000) -> Cfg:
    def conv(filters: int, size: int) -> Conv:
        return Conv(int(filters * width), size)

    def pair(filters: int) -> Cfg:
        return [conv(filters, 3), conv(filters // 2, 1)]

    return [
        *(conv(32, 3), MaxPool(), conv(64, 3), MaxPool()),
        *(*pair(128), conv(128, 3), MaxPool()),
        *(*pair(256), conv(256, 3), MaxPool()),
        *(*pair(512), *pair(512), conv(512, 3), MaxPool()),
        *(*pair(1024), *pair(1024), conv(1024, 3)),
        *(Conv(classes, 1, activation="linear", batch_normalize=False), AVERAGE),
    ]


def darknet53(width: float = 1, classes: int = 1000) -> Cfg:
    found: Cfg = [Conv(int(32 * width), 3)]
    for filters, units in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        wide = int(filters * width)
        found.append(Conv(wide, 3, 2))
        found += [Conv(wide // 2, 1), Conv(wide, 3), Shortcut()] * units
    return [*found, AVERAGE, Conv(classes, 1, activation="linear", batch_normalize=False)]


def csp_backbone(width: float = 1) -> Cfg:
    found: Cfg = [Conv(int(32 * width), 3, activation="mish")]
    for filters, units in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        wide = int(filters * width)
        part = wide if units == 1 else wide // 2
        inner = wide // 2
        unit = [Conv(inner, 1, activation="mish"), Conv(part, 3, activation="mish"), Shortcut()]
        found += [
            Conv(wide, 3, 2, activation="mish"),
            Conv(part, 1, activation="mish"),
            Route((-2,)),
            Conv(part, 1, activation="mish"),
            *unit * units,
            Conv(part, 1, activation="mish"),
            Route((-1, -4 - 3 * units)),
            Conv(wide, 1, activation="mish"),
        ]
    return found


def csdarknet53(width: float = 1, classes: int = 1000) -> Cfg:
    last = Conv(classes, 1, activation="linear", batch_normalize=False)
    return [*csp_backbone(width), AVERAGE, last]


def predicted(anchors: int, classes: int) -> Cfg:
    filters = anchors * (5 + classes)
    return [Conv(filters, 1, activation="linear", batch_normalize=False), YOLO]


def tiny_backbone(width: float) -> Cfg:
    found: Cfg = []
    for filters in (16, 32, 64, 128, 256, 512):
        found += [Conv(int(filters * width), 3), MaxPool(2, 1 if filters == 512 else 2)]
    return [*found, Conv(int(1024 * width), 3)]


def yolov2(width: float = 1, classes: int = 80) -> Cfg:
    wide = Conv(int(1024 * width), 3)
    *backbone, _, _ = darknet19(width)
    passed = [Route((-9,)), Conv(int(64 * width), 1), REORG, Route((-1, -4))]
    return [*backbone, wide, wide, *passed, wide, *predicted(5, classes)]


def yolov2_tiny(width: float = 1, classes: int = 20) -> Cfg:
    return [*tiny_backbone(width), Conv(int(1024 * width), 3), *predicted(5, classes)]


def pairs(filters: int, count: int) -> Cfg:
    return [Conv(filters, 1), Conv(2 * filters, 3)] * count


POOLS = [
    MaxPool(5, 1),
    Route((-2,)),
    MaxPool(9, 1),
    Route((-4,)),
    MaxPool(13, 1),
    Route((-1, -3, -5, -6)),
]


def yolov3(width: float = 1, classes: int = 80, spp: bool = False) -> Cfg:
    *backbone, _, _ = darknet53(width)
    found: Cfg = [*backbone]
    for filters, finer in ((512, 61), (256, 36), (128, 0)):
        wide = int(filters * width)
        if spp and filters == 512:
            found += [*pairs(wide, 1), Conv(wide, 1), *POOLS, *pairs(wide, 2)]
        else:
            found += pairs(wide, 3)
        found += predicted(3, classes)
        if finer:
            found += [Route((-4,)), Conv(wide // 2, 1), UPSAMPLE, Route((-1, finer))]
    return found


def yolov3_spp(width: float = 1, classes: int = 80) -> Cfg:
    return yolov3(width, classes, spp=True)


def yolov3_tiny(width: float = 1, classes: int = 80) -> Cfg:
    quarter, eighth = int(256 * width), int(128 * width)
    return [
        *tiny_backbone(width),
        *(Conv(quarter, 1), Conv(2 * quarter, 3), *predicted(3, classes)),
        *(Route((-4,)), Conv(eighth, 1), UPSAMPLE, Route((-1, 8))),
        *(Conv(2 * eighth, 3), *predicted(3, classes)),
    ]


def yolov4(width: float = 1, classes: int = 80) -> Cfg:
    first, second, third = (int(filters * width) for filters in (512, 256, 128))

    def down(filters: int, finer: int) -> Cfg:
        up = [Conv(filters, 1), UPSAMPLE, Route((finer,)), Conv(filters, 1), Route((-1, -3))]
        return [*up, *pairs(filters, 2), Conv(filters, 1)]

    def up_again(filters: int, coarser: int) -> Cfg:
        return [Route((-4,)), Conv(filters, 3, 2), Route((-1, coarser)), *pairs(filters, 3)]

    return [
        *csp_backbone(width),
        *(*pairs(first, 1), Conv(first, 1), *POOLS, *pairs(first, 1), Conv(first, 1)),
        *(*down(second, 85), *down(third, 54), Conv(2 * third, 3), *predicted(3, classes)),
        *(*up_again(second, -16), *predicted(3, classes)),
        *(*up_again(first, -37), *predicted(3, classes)),
    ]


def yolov4_tiny(width: float = 1, classes: int = 80) -> Cfg:
    found: Cfg = [Conv(int(32 * width), 3, 2), Conv(int(64 * width), 3, 2)]
    for filters in (64, 128, 256):
        wide, half = int(filters * width), int(filters * width) // 2
        found += [
            *(Conv(wide, 3), Route((-1,), groups=2, group=1), Conv(half, 3), Conv(half, 3)),
            *(Route((-1, -2)), Conv(wide, 1), Route((-6, -1)), MaxPool()),
        ]
    quarter, eighth = int(256 * width), int(128 * width)
    return [
        *(*found, Conv(2 * quarter, 3)),
        *(Conv(quarter, 1), Conv(2 * quarter, 3), *predicted(3, classes)),
        *(Route((-4,)), Conv(eighth, 1), UPSAMPLE, Route((-1, 23))),
        *(Conv(2 * eighth, 3), *predicted(3, classes)),
    ]


def vgg16(width: float = 1, classes: int = 1000) -> Cfg:
    found: Cfg = []
    for filters, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        found += [Conv(int(filters * width), 3, 1, "relu", False)] * convolutions + [MaxPool()]
    hidden = Connected(int(4096 * width))
    return [*found, hidden, hidden, Connected(classes, "linear")]


@dataclass(frozen=True)
class Numbers:
    """Of a [convolutional] or [connected]: `vectors` in the order of the file, then the kernel."""

    vectors: tuple[torch.Tensor, ...]
    kernel: torch.Tensor

    @property
    def content(self) -> bytes:
        return b"".join(
            each.numpy().astype("<f4").tobytes() for each in (*self.vectors, self.kernel)
        )


Draw = Callable[..., Numbers]


def drawn(layer: Conv | Connected, shape: tuple[int, ...], seed: int) -> Numbers:
    """Numbers that follow from the seed, by which maps neither grow nor vanish."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*lengths: int) -> torch.Tensor:
        return torch.randn(lengths, generator=generator)

    count, inputs = shape[0], torch.Size(shape[1:]).numel()
    kernel = normal(*shape) * (2 / inputs) ** 0.5
    beta, gamma, mean = 0.1 * normal(count), 1 + 0.1 * normal(count), 0.1 * normal(count)
    variance = 0.5 + torch.rand(count, generator=generator)
    return Numbers((beta, gamma, mean, variance) if has_norm(layer) else (beta,), kernel)


def without_numbers(layer: Conv | Connected, shape: tuple[int, ...], seed: int) -> Numbers:
    """On the meta device, for networks of full size."""
    vectors = [torch.empty(shape[0], device="meta")] * (4 if has_norm(layer) else 1)
    return Numbers(tuple(vectors), torch.empty(shape, device="meta"))


def has_norm(layer: Conv | Connected) -> bool:
    return isinstance(layer, Conv) and layer.batch_normalize


def walked(
    cfg: Cfg, images: torch.Tensor, draw: Draw = drawn
) -> tuple[list[Numbers], list[torch.Tensor]]:
    """The numbers of each layer that has some, and what the network makes of images.

    That are the maps in front of each `yolo`, or those behind the last layer.
    """
    numbers: list[Numbers] = []
    maps: list[torch.Tensor] = []
    outputs: list[torch.Tensor] = []
    for layer in cfg:
        given = maps[-1] if maps else images
        if isinstance(layer, Conv | Connected):
            numbers.append(draw(layer, kernel_shape(layer, given), len(numbers)))
            maps.append(applied(layer, numbers[-1], given))
        elif isinstance(layer, Route):
            maps.append(torch.cat([group(maps[index], layer) for index in layer.layers], 1))
        elif isinstance(layer, Shortcut):
            maps.append(given + maps[layer.of])
        elif isinstance(layer, MaxPool):
            maps.append(pooled(given, layer))
        elif layer == YOLO:
            outputs.append(given)
            maps.append(given)
        else:
            maps.append(WORDS[layer](given))
    return numbers, outputs or maps[-1:]


def kernel_shape(layer: Conv | Connected, given: torch.Tensor) -> tuple[int, ...]:
    if isinstance(layer, Connected):
        return layer.output, given[0].numel()
    return layer.filters, given.shape[1], layer.size, layer.size


def applied(layer: Conv | Connected, numbers: Numbers, given: torch.Tensor) -> torch.Tensor:
    if isinstance(layer, Connected):
        made = functional.linear(given.flatten(1), numbers.kernel, numbers.vectors[0])
    elif layer.batch_normalize:
        beta, gamma, mean, variance = numbers.vectors
        made = functional.conv2d(given, numbers.kernel, None, layer.stride, layer.size // 2)
        made = functional.batch_norm(made, mean, variance, gamma, beta)
    else:
        made = functional.conv2d(
            given, numbers.kernel, numbers.vectors[0], layer.stride, layer.size // 2
        )
    return ACTIVATIONS[layer.activation](made)


def group(maps: torch.Tensor, route: Route) -> torch.Tensor:
    return maps.chunk(route.groups, 1)[route.group]


def pooled(maps: torch.Tensor, layer: MaxPool) -> torch.Tensor:
    """Darknet's: padding of size - 1 in all, of which the smaller half is in front."""
    before = (layer.size - 1) // 2
    after = layer.size - 1 - before
    if layer.size == layer.stride:  # even maps need none
        before = after = 0
    padded = functional.pad(maps, (before, after, before, after), value=-torch.inf)
    return functional.max_pool2d(padded, layer.size, layer.stride)


WORDS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    AVERAGE: lambda maps: maps.mean((2, 3), keepdim=True),
    UPSAMPLE: lambda maps: functional.interpolate(maps, scale_factor=2),
    REORG: lambda maps: torch.cat(
        [maps[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)], 1
    ),
}


def write(path: Path, numbers: list[Numbers], version: tuple[int, int, int] = (0, 2, 5)) -> Path:
    """As Darknet does: three whole numbers, the images seen in 8 bytes or once 4, all numbers."""
    seen = struct.pack("<Q" if version >= (0, 2, 0) else "<I", IMAGES_SEEN)
    header = struct.pack("<3i", *version) + seen
    path.write_bytes(header + b"".join(each.content for each in numbers))
    return path
