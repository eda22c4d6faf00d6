"""What detectors mean: equal networks are equal, however they are written."""

from typing import Any

import pytest
from detectors import blueprint, detector, stage

from evonas.blueprint import network_key
from evonas.networks import Scale, aligned, meaning, scaled, short, tidied, words
from evonas.networks.detector.refinements import REFINEMENTS

FULL = Scale("full", resolution_px=64)

SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"neck": {"width": 8, "kind": "pan", "fusion": "concat", "depth": 1, "spp": False}}),
    ({}, {"head": {"kind": "anchor_free", "depth": 1, "kernel": 3, "bins": 8}}),
    ({}, {"head": {"one_to_one": False}, "norm": "batch", "drop_path": 0}),
    (
        {"neck": {"width": 8, "kind": "none"}},
        {"neck": {"width": 8, "kind": "none", "fusion": "add", "depth": 2, "depthwise": True}},
    ),
    (
        {"neck": {"width": 8, "kind": "fpn", "depth": 0}},
        {"neck": {"width": 8, "kind": "fpn", "depth": 0, "kernel": 5, "depthwise": True}},
    ),
    ({"head": {"depth": 0}}, {"head": {"depth": 0, "kernel": 5, "depthwise": True}}),
    ({}, {"backbone": {**detector()["backbone"], "activation": "relu", "norm": "batch"}}),
    (
        {"backbone": {**detector()["backbone"], "stages": [stage(8), stage(16, layers=2)]}},
        {
            "backbone": {
                **detector()["backbone"],
                "stages": [stage(8), stage(16), stage(16, stride=1)],
            }
        },
    ),
]
OTHER: list[dict[str, Any]] = [
    {"levels": 3},
    {"activation": "swish"},
    {"norm_eps": 0.001},
    {"backbone": {**detector()["backbone"], "activation": "swish"}},
    {"neck": {"width": 16}},
    {"neck": {"width": 8, "kind": "fpn"}},
    {"neck": {"width": 8, "kind": "none"}},
    {"neck": {"width": 8, "fusion": "add"}},
    {"neck": {"width": 8, "fusion": "weighted"}},
    {"neck": {"width": 8, "depth": 0}},
    {"neck": {"width": 8, "depth": 0, "depthwise": True}},  # of the way up, at any depth
    {"neck": {"width": 8, "spp": True}},
    {"neck": {"width": 8, "rfb": True}},
    {"neck": {"width": 8, "compress": True}},
    *({"neck": {"width": 8, word: True}} for word in REFINEMENTS),
    {"neck": {"width": 8, "kind": "yolov3"}},
    {"neck": {"width": 8, "kind": "yolov3", "depth": 2}},
    {"neck": {"width": 8, "kind": "yolov4"}},
    {"neck": {"width": 8, "kind": "yolov3_tiny"}},
    {"neck": {"width": 8, "kind": "yolov3_tiny", "partial": True}},
    {"neck": {"width": 8, "kind": "passthrough"}},
    {"neck": {"width": 8, "kind": "passthrough", "depth": 0}},
    {"head": {"depth": 0}},
    {"head": {"kernel": 5}},
    {"head": {"depthwise": True}},
    {"head": {"bins": 1}},
    {"head": {"one_to_one": True}},
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_changes_nothing_is_no_other_detector(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    networks = [detector(**one), detector(**other)]
    assert meaning(networks[0]) == meaning(networks[1])
    keys = {network_key(blueprint(network), FULL) for network in networks}
    assert len(keys) == 1


def test_every_key_makes_another_detector() -> None:
    networks = [detector(), *(detector(**changes) for changes in OTHER)]
    assert len({blueprint(network).fingerprint for network in networks}) == len(networks)
    assert len({network_key(blueprint(network), FULL) for network in networks}) == len(networks)


@pytest.mark.parametrize("changes", [{}, *OTHER, *(other for _, other in SAME)])
def test_tidy_and_short_detectors_mean_the_same(changes: dict[str, Any]) -> None:
    written = detector(**changes)
    tidy, repairs = tidied(written)
    assert repairs == ()
    assert tidied(tidy) == (tidy, ())
    assert meaning(tidy) == meaning(written) == meaning(short(tidy))
    assert short(short(tidy)) == short(tidy)


def test_a_scaled_detector_says_everything() -> None:
    sized = scaled(detector(), FULL)
    assert sized["neck"] == {
        **{"kind": "pan", "width": 8, "fusion": "concat", "depth": 1},
        **{"kernel": 3, "depthwise": False, "compress": False, "spp": False, "rfb": False},
        **dict.fromkeys(("partial", "l2_norm", *REFINEMENTS), False),
        "valid": 0,
    }
    assert sized["head"]["one_to_one"] is False
    assert "head" not in sized["backbone"]


def test_defaults_that_a_space_writes_out_are_written_out() -> None:
    gene = {"choice": ["add", "concat"], "when": {"kind": ["pan"]}}
    template = detector(
        neck={"kind": {"choice": ["pan", "none"]}, "width": 8, "fusion": gene},
        head={"bins": {"choice": [8, 16]}},
        norm={"choice": ["batch", "group"]},
    )
    placed = aligned(detector(), template)
    assert placed["neck"] == {"kind": "pan", "width": 8, "fusion": "concat"}
    assert (placed["head"], placed["norm"]) == ({"bins": 8}, "batch")
    none = aligned(detector(neck={"kind": "none", "width": 8}), template)
    assert none["neck"] == {"kind": "none", "width": 8}


def test_a_surrogate_hears_of_neck_and_head() -> None:
    backbone, pairs, rest = words(detector())
    assert pairs
    assert sum(backbone.values()) == 3
    assert rest == {"levels 2": 1}
    told = words(detector(neck={"width": 8, "kind": "none"}, head={"bins": 1}))[2]
    assert told == {"levels 2": 1, "neck kind none": 1, "head bins 1": 1}
