"""What operations do with channels, one construct after the other."""

from typing import Any

import pytest
from conftest import a_network, a_stage
from detectors import detector, stage
from sections import a_chain, a_section
from silenced import check_pruning

from evonas.networks import Scale

CONSTRUCTS = {
    "slopes of channels": a_section(a_network(a_stage(), activation="prelu")),
    "biases": a_section(a_network(a_stage(layers=2), norm="none")),
    "gates": a_section(a_network(a_stage(se_ratio=0.25, layers=2))),
    "deep stem": a_section(
        a_network(a_stage(), stem={"channels": 32, "kernel": 3, "stride": 2, "deep": True})
    ),
    "two linear layers": a_section(a_network(head={"channels": 0, "hidden": 32})),
    "pyramid of poolings": a_section(a_network(head={"channels": 32, "pool": "pyramid"})),
    "groups that become fewer": a_section(
        a_network(a_stage(groups=32, channels=64, layers=2), a_stage(groups=32, channels=48))
    ),
    "zeros in a shortcut": a_section(
        a_network(
            a_stage(operation="residual", mid_ratio=1, order="pre", shortcut="padded"),
            a_stage(operation="residual", mid_ratio=1, order="pre", shortcut="padded", channels=32),
        )
    ),
    "parts of the channels": a_section(a_network(a_stage(csp=0.5, channels=32, layers=2))),
    "branches in a weighted sum": a_chain(
        {"weighted_sum": [[], [{"conv": 16, "kernel": 3}], [{"conv": 16, "kernel": 1}]]}
    ),
    "pixels as channels": a_chain({"space_to_depth": 2}, {"conv": 24, "kernel": 1}),
    "pixels as features": a_chain({"max_pool": 2}, head=[{"flatten": True}, {"linear": "classes"}]),
    "groups that are mixed": a_chain(
        {"conv": 32, "kernel": 3, "groups": 4}, {"channel_shuffle": 4}, {"conv": 32, "kernel": 1}
    ),
    "half of the channels": a_chain(
        {"conv": 32, "kernel": 3},
        {"concat": [[], [{"channel_group": 2, "groups": 2}, {"conv": 16, "kernel": 3}]]},
        {"conv": 32, "kernel": 1},
    ),
    "gates of pixels": a_chain({"spatial_attention": "pointwise"}, {"conv": 24, "kernel": 1}),
    "logits of maps": a_chain(
        head=[{"conv": "classes", "kernel": 1}, {"global_pool": "average"}],
    ),
    "two stages of the detector": a_section(
        detector(
            backbone={
                "stem": {"channels": 16, "kernel": 3, "stride": 2},
                "stages": [stage(24), stage(32), stage(40, layers=2, skip="identity")],
            },
            neck={"width": 24, "spp": True, "fusion": "weighted"},
            head={"one_to_one": True},
        ),
        Scale("proxy", 32, classes=3),
    ),
    "words of necks": a_section(
        detector(neck={"width": 24, "rfb": True, "asff": True, "sam": True, "compress": True}),
        Scale("proxy", 32, classes=3),
    ),
}

DARKNET_NECKS: list[dict[str, Any]] = [
    {"kind": "yolov3", "spp": True},
    {"kind": "yolov3_tiny", "partial": True},
    {"kind": "yolov4"},
    {"kind": "passthrough"},
]


@pytest.mark.parametrize("neck", DARKNET_NECKS)
def test_channels_are_followed_through_levels_of_several_widths(neck: dict[str, Any]) -> None:
    backbone = {
        "stem": {"channels": 16, "kernel": 3, "stride": 2},
        "stages": [stage(24), stage(32), stage(48)],
    }
    network = detector(backbone=backbone, neck={"width": 64, **neck}, head={"depth": 0})
    check_pruning(a_section(network, Scale("proxy", 32, classes=3)), [0.5])


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_channels_are_followed_through(construct: str) -> None:
    check_pruning(CONSTRUCTS[construct], [0.5])
