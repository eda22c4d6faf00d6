"""Necks of Darknet's detectors: what reads what, how wide, and in which order maps are joined."""

from typing import Any

import pytest
import torch
from detectors import blueprint, detector, plan, stage

from evonas.blueprint import network_key
from evonas.models import build, count
from evonas.models.detection.pyramid import Fusion
from evonas.networks import Scale, meaning
from evonas.networks.plan import Layer, Plan

PX = 64
BACKBONE = {
    "stem": {"channels": 8, "kernel": 3, "stride": 2},
    "stages": [stage(8), stage(24), stage(48), stage(40)],
}
KINDS: list[dict[str, Any]] = [
    {"kind": "yolov3", "depth": 2},
    {"kind": "yolov3", "depth": 1, "spp": True},
    {"kind": "yolov4", "depth": 2, "spp": True},
    {"kind": "yolov3_tiny"},
    {"kind": "yolov3_tiny", "partial": True, "spp": True},
    {"kind": "passthrough", "depth": 2},
    {"kind": "passthrough", "depth": 0, "spp": True},
]


def of(levels: int = 3, width: int = 32, **neck: Any) -> dict[str, Any]:
    return detector(backbone=BACKBONE, levels=levels, neck={"width": width, **neck})


def planned(levels: int = 3, width: int = 32, **neck: Any) -> Plan:
    return plan(of(levels, width, **neck), PX)


def reads(made: Plan) -> dict[str, tuple[str, ...]]:
    return {part.name: part.reads for part in made.parts}


def shapes(made: Plan) -> dict[str, list[Any]]:
    """Of each part its convolutions as given channels, made channels and kernel, and the rest."""
    return {part.name: [_shape(layer) for layer in part.layers] for part in made.parts}


def _shape(layer: Layer) -> Any:
    if layer.module != "ConvNormActivation":
        return layer.module
    return tuple(layer.arguments[key] for key in ("in_channels", "out_channels", "kernel"))


def of_classes(made: Plan) -> list[tuple[int, str]]:
    """The channels of each level that a head is given, and the part that has them."""
    parts = [part for part in made.parts if part.name.startswith("class_")]
    return [(part.layers[0].arguments["in_channels"], part.reads[0]) for part in parts]


def test_yolov3_joins_each_coarser_map_in_front_of_the_finer_one() -> None:
    made = planned(kind="yolov3", depth=2)
    told, order = shapes(made), reads(made)
    assert told["top_down_3"] == [(40, 32, 1), (32, 64, 3), (64, 32, 1), (32, 64, 3), (64, 32, 1)]
    assert told["up_2"] == [(32, 16, 1), "Upsample"]
    assert order["top_down_2_fused"] == ("up_2", "stage_3")
    assert told["top_down_2"][0] == (16 + 48, 16, 1)
    assert order["up_1"] == ("top_down_2",)
    assert told["top_down_1"][0] == (8 + 24, 8, 1)
    assert of_classes(made) == [(8, "top_down_1"), (16, "top_down_2"), (32, "top_down_3")]


def test_yolov4_goes_down_and_up_again() -> None:
    made = planned(kind="yolov4", depth=2)
    told, order = shapes(made), reads(made)
    assert told["lateral_1"] == [(24, 8, 1)]
    assert order["top_down_1_fused"] == ("lateral_1", "up_1")
    assert told["top_down_1"][0] == (16, 8, 1)
    assert told["down_2"] == [(8, 16, 3)]
    assert order["bottom_up_2_fused"] == ("down_2", "top_down_2")
    assert order["bottom_up_3_fused"] == ("down_3", "top_down_3")
    assert of_classes(made) == [(8, "top_down_1"), (16, "bottom_up_2"), (32, "bottom_up_3")]


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        (0, [(40, 32, 1), "PoolPyramid", (128, 32, 1)]),
        (
            2,
            [
                *((40, 32, 1), (32, 64, 3), (64, 32, 1), "PoolPyramid", (128, 32, 1)),
                *((32, 64, 3), (64, 32, 1)),
            ],
        ),
    ],
)
def test_poolings_stand_behind_the_first_pair_of_the_coarsest(
    depth: int, expected: list[Any]
) -> None:
    for kind in ("yolov3", "yolov4"):
        told = shapes(planned(kind=kind, depth=depth, spp=True))
        assert told["top_down_3"] == expected
        assert "PoolPyramid" not in told["top_down_2"]


def test_a_tiny_neck_has_a_wide_convolution_for_each_level() -> None:
    made = planned(levels=2, kind="yolov3_tiny")
    told, order = shapes(made), reads(made)
    assert told["lateral_2"] == [(40, 32, 1)]
    assert told["top_down_2"] == [(32, 64, 3)]
    assert order["up_1"] == ("lateral_2",)
    assert order["top_down_1_fused"] == ("up_1", "stage_3")
    assert told["top_down_1"] == [(16 + 48, 32, 3)]
    assert of_classes(made) == [(32, "top_down_1"), (64, "top_down_2")]


def test_partial_levels_are_read_without_what_went_around() -> None:
    made = planned(levels=2, kind="yolov3_tiny", partial=True)
    assert shapes(made)["last_1"] == ["ChannelGroup"]
    assert reads(made)["top_down_1_fused"] == ("up_1", "last_1")
    assert shapes(made)["top_down_1"] == [(16 + 24, 32, 3)]


def test_a_passthrough_joins_pixels_of_the_finer_maps_in_front_of_the_coarsest() -> None:
    made = planned(levels=2, width=64, kind="passthrough", depth=2)
    told, order = shapes(made), reads(made)
    assert told["deep_2"] == [(40, 64, 3), (64, 64, 3)]
    assert told["passed_1"] == [(48, 4, 1), "SpaceToDepth"]
    assert order["passthrough_fused"] == ("passed_1", "deep_2")
    assert told["passthrough"] == [(16 + 64, 64, 3)]
    assert of_classes(made) == [(64, "passthrough")]
    further = planned(levels=3, width=64, kind="passthrough")
    assert reads(further)["passthrough_fused"] == ("passed_1", "passed_2", "deep_3")
    assert shapes(further)["passthrough"] == [(16 + 16 + 64, 64, 3)]


def test_a_passthrough_of_one_level_is_its_convolutions() -> None:
    made = planned(levels=1, kind="passthrough", depth=0)
    assert reads(made)["passthrough"] == ("stage_4",)
    assert shapes(made)["passthrough"] == [(40, 32, 3)]


@pytest.mark.parametrize(("kind", "same"), [("fpn", "none"), ("pan", "none"), ("yolov4", "yolov3")])
def test_with_one_level_there_is_nothing_to_mix(kind: str, same: str) -> None:
    networks = [of(levels=1, kind=kind), of(levels=1, kind=same)]
    assert meaning(networks[0]) == meaning(networks[1])
    keys = {network_key(blueprint(network), Scale("full", PX)) for network in networks}
    assert len(keys) == 1
    plans = [plan(network, PX) for network in networks]
    assert plans[0] == plans[1]


@pytest.mark.parametrize("neck", KINDS)
@pytest.mark.parametrize("levels", [1, 3])
def test_batches_of_any_size_go_through_and_are_counted(neck: dict[str, Any], levels: int) -> None:
    design = blueprint(of(levels, **neck))
    network = build(design, Scale("full", PX, classes=3), seed=0).train()
    boxes, logits, *_ = network(torch.randn(2, 3, 80, 112))
    assert boxes.shape[1] == logits.shape[1]
    logits.sum().backward()  # type: ignore[no-untyped-call]
    silent = [name for name, each in network.named_parameters() if each.grad is None]
    assert not [name for name in silent if not name.startswith("box_")]
    parameters = sum(tensor.numel() for tensor in network.parameters())
    assert count(planned(levels, **neck)).parameters == parameters


def test_all_maps_are_cut_to_the_smallest() -> None:
    small, large = torch.zeros(1, 1, 5, 7), torch.ones(1, 2, 6, 8)
    assert Fusion("concat", 2)(large, small).shape == (1, 3, 5, 7)
    assert Fusion("concat", 2)(small, large).shape == (1, 3, 5, 7)
