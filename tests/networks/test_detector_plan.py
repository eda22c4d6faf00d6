"""What a detector is made of, at any scale."""

from typing import Any

import pytest
from conftest import a_network
from detectors import blueprint, detector, plan, stage

from evonas.blueprint import Blueprint, scaled_network
from evonas.errors import BuildError
from evonas.networks import GRAMMARS, Scale, strides
from evonas.networks.plan import Layer, Plan


def reads(planned: Plan) -> dict[str, tuple[str, ...]]:
    return {part.name: part.reads for part in planned.parts}


def test_it_is_a_detector() -> None:
    assert GRAMMARS[detector()["builder"]].task == "detection"


def test_a_training_has_raw_outputs_and_what_is_deployed_boxes_and_scores() -> None:
    planned = plan(detector())
    assert planned.outputs == ("boxes", "logits", "distances", "priors")
    assert planned.deployed == planned.as_deployed().outputs == ("boxes", "scores")
    assert reads(planned)["boxes"] == ("distances", "priors")
    assert reads(planned)["scores"] == ("logits",)


def test_a_one_to_one_branch_is_deployed_and_the_other_is_not() -> None:
    planned = plan(detector(head={"one_to_one": True}))
    assert planned.outputs[4:] == ("boxes_many", "logits_many", "distances_many")
    names = reads(planned.as_deployed())
    assert not any("many" in name for name in names)
    assert names["class_1"] == ("still_1",)


def test_the_levels_are_the_last_strides() -> None:
    stages = [stage(8), stage(8, stride=1), stage(16), stage(24, stride=1), stage(32)]
    backbone = {**detector()["backbone"], "stages": stages}
    found = reads(plan(detector(backbone=backbone, neck={"kind": "none", "width": 8})))
    assert found["lateral_1"] == ("stage_4",)
    assert found["lateral_2"] == ("stage_5",)
    three = reads(plan(detector(backbone=backbone, levels=3, neck={"width": 8})))
    assert three["lateral_1"] == ("stage_2",)


@pytest.mark.parametrize(("levels", "expected"), [(2, (8, 16)), (3, (4, 8, 16)), (1, (16,))])
def test_strides_are_those_of_the_levels(levels: int, expected: tuple[int, ...]) -> None:
    scaled = scaled_network(blueprint(detector(levels=levels)), Scale("full", 32, classes=3))
    assert strides(scaled) == expected
    (priors,) = (
        layer for layer in plan(detector(levels=levels)).layers if layer.module == "Priors"
    )
    assert tuple(priors.arguments["strides"]) == expected


def test_a_classifier_sees_an_image_as_a_whole() -> None:
    assert strides(scaled_network(Blueprint(a_network()), Scale("full", 32))) == ()


def test_an_input_is_a_multiple_of_the_largest_stride() -> None:
    with pytest.raises(BuildError, match=r"40 px is no multiple of the largest stride, 16\. .*48"):
        plan(detector(), px=40)


def test_there_are_as_many_strides_as_levels() -> None:
    with pytest.raises(BuildError, match=r"maps of 2 strides at 16 px, and levels asks for .* 3"):
        plan(detector(levels=3), px=16, smallest_map_px=2)


def modules(planned: Plan, name: str) -> list[str]:
    (layers,) = [part.layers for part in planned.parts if part.name == name]
    return [layer.module for layer in layers]


def layers(planned: Plan) -> dict[str, list[Layer]]:
    return {part.name: list(part.layers) for part in planned.parts}


def test_a_pyramid_goes_down_and_with_a_path_upwards_back() -> None:
    down = reads(plan(detector(neck={"kind": "fpn", "width": 8})))
    assert down["up_1"] == ("lateral_2",)
    assert down["top_down_1_fused"] == ("lateral_1", "up_1")
    assert down["class_1"] == ("top_down_1",)
    assert down["class_2"] == ("lateral_2",)
    both = reads(plan(detector(neck={"kind": "pan", "width": 8})))
    assert down.items() - both.items() == {
        *((name, ("lateral_2",)) for name in ("class_2", "box_2")),
        ("priors", ("top_down_1", "lateral_2")),
    }
    assert both["down_2"] == ("top_down_1",)
    assert both["bottom_up_2_fused"] == ("lateral_2", "down_2")
    assert both["class_2"] == ("bottom_up_2",)


@pytest.mark.parametrize(
    ("fusion", "depth", "made"),
    [
        ("concat", 0, ["ConvNormActivation"]),
        ("concat", 2, ["ConvNormActivation"] * 3),
        ("add", 2, ["ConvNormActivation"] * 2),
        ("weighted", 1, ["ConvNormActivation"]),
    ],
)
def test_maps_are_fused_and_go_through_as_many_blocks(
    fusion: str, depth: int, made: list[str]
) -> None:
    planned = plan(detector(neck={"width": 8, "fusion": fusion, "depth": depth}))
    assert layers(planned)["top_down_1_fused"][0].arguments == {"how": fusion, "terms": 2}
    assert modules(planned, "top_down_1") == made


def test_sums_alone_are_no_more_than_sums() -> None:
    found = reads(plan(detector(neck={"width": 8, "fusion": "add", "depth": 0})))
    assert "top_down_1" not in found
    assert found["class_1"] == ("top_down_1_fused",)


def test_blocks_may_be_depthwise() -> None:
    how = {"depthwise": True, "kernel": 5, "depth": 1}
    planned = plan(detector(neck={"width": 8, "fusion": "add", **how}, head=how))
    for name in ("top_down_1", "down_2"):
        (block,) = layers(planned)[name]
        assert (block.module, block.arguments["kernel"]) == ("DepthwiseSeparable", 5)
    assert layers(planned)["down_2"][0].arguments["stride"] == 2
    assert modules(planned, "box_1") == ["DepthwiseSeparable", "Prediction"]


def test_poolings_stand_at_the_coarsest_level() -> None:
    planned = plan(detector(neck={"width": 8, "spp": True}))
    assert modules(planned, "lateral_1") == ["ConvNormActivation"]
    assert modules(planned, "lateral_2") == [
        *("ConvNormActivation", "PoolPyramid", "ConvNormActivation")
    ]
    assert layers(planned)["lateral_2"][1].arguments == {"kernels": [5, 9, 13]}


def test_widths_are_those_of_the_scale_in_multiples_of_8() -> None:
    planned = plan(detector(neck={"width": 40}, head={"depth": 1}), width=0.5)
    assert layers(planned)["lateral_1"][0].arguments["out_channels"] == 24
    assert layers(planned)["class_1"][-1].arguments == {
        "in_channels": 24,
        "out_channels": 3,
        "first_bias": -4.59512,
    }


def test_the_scale_deepens_stages_and_no_neck() -> None:
    deep, plain = (layers(plan(detector(), depth=depth)) for depth in (2, 1))
    assert len(deep["stage_3"]) == 2 * len(plain["stage_3"])
    assert len(deep["top_down_1"]) == len(plain["top_down_1"])


def test_stages_that_end_without_activation_get_one_where_a_level_begins() -> None:
    pre = {"operation": "residual", "mid_ratio": 1, "order": "pre"}
    open_stage = {key: value for key, value in stage(16).items() if key != "skip"} | pre
    backbone = {**detector()["backbone"], "stages": [stage(8), open_stage, stage(24)]}
    planned = plan(detector(backbone=backbone))
    assert reads(planned)["closed_1"] == ("stage_2",)
    assert modules(planned, "closed_1") == ["NormActivation"]
    assert reads(planned)["lateral_1"] == ("closed_1",)
    assert reads(planned)["stage_3"] == ("stage_2",)


def test_a_backbone_may_have_an_activation_of_its_own() -> None:
    backbone: dict[str, Any] = {**detector()["backbone"], "activation": "swish"}
    found = layers(plan(detector(backbone=backbone)))
    assert found["stage_2"][0].arguments["activation"] == "swish"
    assert found["lateral_1"][0].arguments["activation"] == "relu"


def test_a_plan_survives_as_plain_values() -> None:
    for planned in (plan(detector()), plan(detector()).as_deployed()):
        again = Plan.from_dict(planned.to_dict())
        assert again == planned
        assert again.deployed == planned.deployed
    assert "deployed" not in plan(detector()).as_deployed().to_dict()
