"""What a detector is made of, at any scale."""

from typing import Any

import pytest

from evonas.blueprint import Blueprint, plan_network
from evonas.errors import BuildError
from evonas.networks import Scale, task_of_section, tidied
from evonas.networks.plan import Plan


def stage(channels: int, **changes: Any) -> dict[str, Any]:
    """A plain convolution of stride 2 unless told otherwise."""
    default = {"operation": "conv", "kernel": 3, "se_ratio": 0, "skip": "none", "layers": 1}
    return {**default, "stride": 2, "channels": channels, **changes}


def detector(**changes: Any) -> dict[str, Any]:
    """Strides 4, 8 and 16 of 8, 16 and 24 channels, the last two of which are looked at."""
    return {
        "builder": "detector",
        "activation": "relu",
        "backbone": {
            "stem": {"channels": 8, "kernel": 3, "stride": 2},
            "stages": [stage(8), stage(16), stage(24)],
        },
        "levels": 2,
        "neck": {"width": 8},
        "head": {},
        **changes,
    }


def plan(network: dict[str, Any], px: int = 32, **scale: Any) -> Plan:
    return plan_network(Blueprint(tidied(network)[0]), Scale("full", px, classes=3, **scale))


def reads(planned: Plan) -> dict[str, tuple[str, ...]]:
    return {part.name: part.reads for part in planned.parts}


def test_it_is_a_detector() -> None:
    assert task_of_section(detector()) == "detection"


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


def test_an_input_is_a_multiple_of_the_largest_stride() -> None:
    with pytest.raises(BuildError, match=r"40 px is no multiple of the largest stride, 16\. .*48"):
        plan(detector(), px=40)


def test_there_are_as_many_strides_as_levels() -> None:
    with pytest.raises(BuildError, match=r"maps of 2 strides at 16 px, and levels asks for .* 3"):
        plan(detector(levels=3), px=16, smallest_map_px=2)
