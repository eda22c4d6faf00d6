"""Heads: what is predicted from the maps of a neck. A new one is a function and a line in `HEADS`.

A head gives `boxes`, `logits` and what its loss needs in a training, and `boxes` and `scores`
deployed; what they are is told by the modules of `models.detection`. The number of outputs of a
training tells the head (see `tasks.detection.head_outputs`).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evonas.networks.detector.anchored_heads import ANCHORED_HEADS
from evonas.networks.detector.levels import Kind, Level, Outputs, block
from evonas.networks.detector.ssd_head import SSD_HEAD
from evonas.networks.plan import Layer, Part

# What a head is meant to say where it does not.
HEAD_DEFAULTS: Mapping[str, Any] = {
    "kind": "anchor_free",
    "depth": 1,
    "kernel": 3,
    "depthwise": False,
    "bins": 8,
    "one_to_one": False,
    "anchors": 3,
    "anchor_sizes": [],
    "grid_sensitivity": 1.0,
    "settling": 200,
    "boxes": 6,
    "scales": [0.2, 0.9],
}
EVERY_HEAD = ()  # the keys that every kind takes
SIDES = 4

# A class begins with this probability, so that the many points without objects do not swamp the
# first steps (RetinaNet, arXiv 1708.02002, section 4.1), and a distance of one number, of which
# softplus makes strides, with this one.
FIRST_PROBABILITY, FIRST_DISTANCE = 0.01, 1.0

TRAINED = ("boxes", "logits", "distances", "priors")
MANY = tuple(f"{name}_many" for name in TRAINED[:3])  # of the other branch of one-to-one heads
RAW = ("logits", "distances", "objectness", "offsets")  # without decoding, of heads that have them


def says_once(outputs: Sequence[str]) -> bool:
    """Whether a network with these outputs in a training says each thing once, when deployed."""
    return MANY[0] in outputs


def _anchor_free(network: Mapping[str, Any], levels: Sequence[Level]) -> tuple[list[Part], Outputs]:
    """Decoupled branches for classes and boxes of each level (YOLOX, arXiv 2107.08430, figure 2).

    With a one-to-one branch, that one is deployed; it reads maps without teaching them (YOLOv10,
    arXiv 2405.14458, section 3.1), and the other branch, `many`, is there in a training alone.
    """
    strides = [level.stride for level in levels]
    reads = tuple(level.reads for level in levels)
    priors = Part("priors", (Layer("Priors", {"strides": strides}),), reads)
    score = Part("scores", (Layer("Scores", {}),), ("logits",))
    if not network["head"]["one_to_one"]:
        return [priors, *_branch(network, levels, ""), score], Outputs(TRAINED)
    still = [Part(f"still_{lv.number}", (Layer("Still", {}),), (lv.reads,)) for lv in levels]
    same = [
        Level(lv.number, lv.stride, lv.channels, part.name)
        for lv, part in zip(levels, still, strict=True)
    ]
    branches = [*_branch(network, same, ""), *_branch(network, levels, "_many")]
    return [priors, *still, *branches, score], Outputs((*TRAINED, *MANY))


def _branch(network: Mapping[str, Any], levels: Sequence[Level], suffix: str) -> list[Part]:
    """From maps to `boxes`, `logits` and `distances`."""
    head = network["head"]
    first = -math.log((1 - FIRST_PROBABILITY) / FIRST_PROBABILITY)
    classes = _predictions(network, levels, f"class{suffix}", network["classes"], first)
    sides = _predictions(network, levels, f"box{suffix}", SIDES * head["bins"], FIRST_DISTANCE)
    points = (Layer("Points", {}),)
    return [
        *classes,
        *sides,
        Part(f"logits{suffix}", points, tuple(part.name for part in classes)),
        Part(f"distances{suffix}", points, tuple(part.name for part in sides)),
        Part(
            f"boxes{suffix}",
            (Layer("Boxes", {"bins": head["bins"]}),),
            (f"distances{suffix}", "priors"),
        ),
    ]


def _predictions(
    network: Mapping[str, Any], levels: Sequence[Level], name: str, channels: int, first: float
) -> list[Part]:
    """Blocks and a 1x1 convolution for each level, with weights of its own."""
    head = network["head"]
    return [
        Part(
            f"{name}_{level.number}",
            (
                *[block(network, head, level.channels)] * head["depth"],
                Layer(
                    "Prediction",
                    {
                        "in_channels": level.channels,
                        "out_channels": channels,
                        "first_bias": round(first, 6),
                    },
                ),
            ),
            (level.reads,),
        )
        for level in levels
    ]


HEADS: Mapping[str, Kind] = {
    "anchor_free": Kind(
        ("depth", "kernel", "depthwise", "bins", "one_to_one"),
        ("kernel", "depthwise"),
        _anchor_free,
    ),
    **ANCHORED_HEADS,
    "ssd": SSD_HEAD,
}
