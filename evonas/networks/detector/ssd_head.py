"""The head of SSD: boxes of fixed sizes on every level (arXiv 1512.02325)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evonas.networks.detector.levels import Kind, Level, Outputs, by_level
from evonas.networks.plan import IMAGES, Layer, Part

SSD = ("boxes", "logits", "priors")
BACKGROUND = 1  # logits in front of those of the classes
NUMBERS_OF_BOXES: Mapping[str, Sequence[int]] = {"ssd300": (4, 6, 6, 6, 4, 4)}  # of a cell
# Width by height of the boxes of a cell, beside a second, larger square.
RATIOS: Mapping[int, Sequence[float]] = {4: (1, 2, 1 / 2), 6: (1, 2, 1 / 2, 3, 1 / 3)}


def _ssd(network: Mapping[str, Any], levels: Sequence[Level]) -> tuple[list[Part], Outputs]:
    """A 3x3 convolution to classes, and one to offsets, at each level (section 2.1)."""
    boxes = by_level("boxes", network["head"]["boxes"], len(levels), NUMBERS_OF_BOXES)
    sizes = default_sizes(network["head"]["scales"], boxes)
    reads = tuple(level.reads for level in levels)
    values = {"class": network["classes"] + BACKGROUND, "box": 4}
    predictions = {
        name: [
            _prediction(name, level, count * number)
            for level, count in zip(levels, boxes, strict=True)
        ]
        for name, number in values.items()
    }
    points = (Layer("BoxPoints", {"boxes": boxes}),)
    parts = [
        Part("priors", (Layer("DefaultBoxes", {"sizes": sizes}),), (IMAGES, *reads)),
        *predictions["class"],
        *predictions["box"],
        Part("logits", points, tuple(part.name for part in predictions["class"])),
        Part("offsets", points, tuple(part.name for part in predictions["box"])),
        Part("boxes", (Layer("OffsetBoxes", {}),), ("offsets", "priors")),
        Part("scores", (Layer("ClassScores", {}),), ("logits",)),
    ]
    return parts, Outputs(SSD)


def _prediction(name: str, level: Level, made: int) -> Part:
    arguments = {"in_channels": level.channels, "out_channels": made, "first_bias": 0.0}
    layer = Layer("Prediction", {**arguments, "kernel": 3})
    return Part(f"{name}_{level.number}", (layer,), (level.reads,))


def default_sizes(scales: Sequence[float], boxes: Sequence[int]) -> list[list[list[float]]]:
    """Width and height of each box of each level, as shares of the image's (section 2.2).

    Scales lie evenly between the two ends, s_k = s_min + (s_max - s_min) (k - 1) / (m - 1); a box
    is s sqrt(ratio) wide and s / sqrt(ratio) high, and a second square sqrt(s_k s_k+1).
    """
    low, high = scales
    step = (high - low) / max(1, len(boxes) - 1)
    sizes = []
    for index, count in enumerate(boxes):
        scale = low + step * index
        square, *others = [(math.sqrt(ratio), 1 / math.sqrt(ratio)) for ratio in RATIOS[count]]
        larger = math.sqrt((scale + step) / scale)
        shapes = [square, (larger, larger), *others]
        sizes.append([[round(scale * side, 6) for side in shape] for shape in shapes])
    return sizes


SSD_HEAD = Kind(("boxes", "scales"), (), _ssd)
