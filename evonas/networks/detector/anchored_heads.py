"""Heads with anchors: several predictions for each cell, of YOLOv2 and of YOLOv3 and later ones.

In a training they give `boxes`, `logits`, `objectness`, `offsets` and `priors`, YOLOv2's also
`settling`; what they are is told by the modules of `models.detection.anchored`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evonas.errors import BuildError
from evonas.networks.detector.levels import Kind, Level, Outputs, block, by_level
from evonas.networks.plan import Layer, Part

ANCHORED = ("boxes", "logits", "objectness", "offsets", "priors")
SETTLING = "settling"
# Of an untrained network without published ones: squares of so many strides, and larger ones up to
# twice that, as RetinaNet has them (arXiv 1708.02002, section 4).
ANCHOR_STRIDES = 4
# YOLOv2 squares its errors, and learns nothing from a probability that begins near 0.
FIRST_OBJECTNESS = {"yolov2": 0.5, "yolov3": 0.01}
BOX, OBJECTNESS = 4, 1  # values of each point in front of the classes


def _yolov3(network: Mapping[str, Any], levels: Sequence[Level]) -> tuple[list[Part], Outputs]:
    """Each class by itself, at all levels (YOLOv3, arXiv 1804.02767, section 2).

    A 3x3 convolution to twice the channels, and a 1x1 one to boxes, objectness and classes.
    """
    return _anchored(network, levels, widening=2, exclusive=False), Outputs(ANCHORED)


def _yolov2(network: Mapping[str, Any], levels: Sequence[Level]) -> tuple[list[Part], Outputs]:
    """Classes that exclude each other (YOLOv2, arXiv 1612.08242, section 2)."""
    batches = {"batches": network["head"]["settling"]}
    settling = Part(SETTLING, (Layer("Settling", batches),), (levels[-1].reads,))
    parts = _anchored(network, levels, widening=1, exclusive=True)
    return [*parts, settling], Outputs((*ANCHORED, SETTLING))


def _anchored(
    network: Mapping[str, Any], levels: Sequence[Level], widening: int, exclusive: bool
) -> list[Part]:
    """From maps to `boxes`, `logits`, `objectness`, `offsets`, `priors` and `scores`."""
    head = network["head"]
    strides = [level.stride for level in levels]
    anchors = first_anchors(head, strides)
    reads = tuple(level.reads for level in levels)
    predictions = [_prediction(network, level, len(anchors[0]), widening) for level in levels]
    key = "grid_sensitivity"
    sensitivities = by_level(key, head[key], len(levels), GRIDS)
    sensitivity = {key: [float(each) for each in sensitivities]}
    scores = Layer("ObjectScores", {"exclusive": exclusive})
    priors = Layer("AnchorPriors", {"strides": strides, "anchors": anchors})
    points = Layer("AnchorPoints", {"anchors": len(anchors[0])})
    boxes = Layer("AnchorBoxes", {**sensitivity, "strides": strides})
    return [
        Part("priors", (priors,), reads),
        *predictions,
        Part("points", (points,), tuple(part.name for part in predictions)),
        _values("offsets", 0, BOX),
        _values("objectness", BOX, BOX + OBJECTNESS),
        _values("logits", BOX + OBJECTNESS),
        Part("boxes", (boxes,), ("offsets", "priors")),
        Part("scores", (scores,), ("logits", "objectness")),
    ]


def _values(name: str, first: int, last: int | None = None) -> Part:
    ends = {} if last is None else {"last": last}
    return Part(name, (Layer("Values", {"first": first, **ends}),), ("points",))


def _prediction(network: Mapping[str, Any], level: Level, anchors: int, widening: int) -> Part:
    head, width = network["head"], level.channels
    wide = widening * width if head["depth"] else width
    blocks = [
        block(network, head, given, made=wide)
        for given in (width, *[wide] * (head["depth"] - 1))[: head["depth"]]
    ]
    first = FIRST_OBJECTNESS[head["kind"]]
    arguments = {
        "in_channels": wide,
        "anchors": anchors,
        "classes": network["classes"],
        "first_bias": round(math.log(first / (1 - first)), 6),
    }
    layers = (*blocks, Layer("AnchorPrediction", arguments))
    return Part(f"predicted_{level.number}", layers, (level.reads,))


def first_anchors(head: Mapping[str, Any], strides: Sequence[int]) -> list[list[list[float]]]:
    """Width and height in px of an untrained network's, a list a level: published, or squares.

    Raises:
        BuildError: Published ones are not as many as levels times anchors.
    """
    number, sizes = head["anchors"], head["anchor_sizes"]
    if not sizes:
        return [
            [[round(ANCHOR_STRIDES * stride * 2 ** (n / number), 3)] * 2 for n in range(number)]
            for stride in strides
        ]
    if len(sizes) != number * len(strides):
        raise BuildError(
            f"head.anchor_sizes has {len(sizes)} anchors, and {len(strides)} levels of "
            f"{number} anchors need {number * len(strides)}. Write as many, the finest level's "
            "first, or leave anchor_sizes out."
        )
    places = range(0, len(sizes), number)
    return [[[*map(float, size)] for size in sizes[place : place + number]] for place in places]


# Grid sensitivities of published detectors, the finest level's first: yolov4.cfg, scale_x_y.
GRIDS: Mapping[str, Sequence[float]] = {"yolov4": (1.2, 1.1, 1.05)}
BLOCK_KEYS = ("depth", "kernel", "depthwise")
ANCHOR_KEYS = ("anchors", "anchor_sizes")
ANCHORED_HEADS: Mapping[str, Kind] = {
    "yolov3": Kind(
        (*BLOCK_KEYS, *ANCHOR_KEYS, "grid_sensitivity"), ("kernel", "depthwise"), _yolov3
    ),
    "yolov2": Kind((*BLOCK_KEYS, *ANCHOR_KEYS, "settling"), ("kernel", "depthwise"), _yolov2),
}
