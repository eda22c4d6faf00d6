"""Coarser levels behind those of a backbone, and where an input may have any side."""

from typing import Any

import pytest
from detectors import blueprint, detector, plan, ssd

from evonas.blueprint import scaled_network
from evonas.errors import BuildError
from evonas.models import count
from evonas.models.count import output_shapes
from evonas.networks import Scale, meaning, narrowed, planned, strides
from evonas.networks.plan import Plan

ANCHOR_FREE = {"kind": "anchor_free", "depth": 0}


def extras(px: int = 48, **neck: Any) -> Plan:
    return plan(ssd(neck={**ssd()["neck"], **neck}, head=ANCHOR_FREE), px)


def levels(found: Plan) -> list[tuple[int, int]]:
    """Channels and side of the maps that the head reads."""
    (priors,) = (part for part in found.parts if part.name == "priors")
    shapes = output_shapes(found.giving(*priors.reads))
    return [(channels, side) for channels, side, _ in shapes]


def test_each_level_is_half_as_large_and_those_behind_the_first_half_as_wide() -> None:
    assert levels(extras()) == [(8, 6), (8, 3), (16, 2), (8, 1)]
    assert levels(extras(px=96)) == [(8, 12), (8, 6), (16, 3), (8, 2)]
    assert levels(extras(depth=0)) == [(8, 6), (8, 3)]


def test_the_last_ones_may_be_without_stride_and_padding() -> None:
    assert levels(extras(px=96, valid=1)) == [(8, 12), (8, 6), (16, 3), (8, 1)]
    assert levels(extras(px=160, depth=3, valid=2)) == [(8, 20), (8, 10), (16, 5), (8, 3), (8, 1)]


def test_strides_are_those_of_all_levels() -> None:
    assert strides(scaled_network(blueprint(ssd()), Scale("full", 48, classes=3))) == (
        *(8, 16, 32, 64),
    )


@pytest.mark.parametrize("changes", [{"depth": 3}, {"depth": 2, "valid": 1}])
def test_a_level_that_has_no_room_is_told(changes: dict[str, Any]) -> None:
    with pytest.raises(BuildError, match=r"neck: behind a map of [12]x[12] px there is no level"):
        extras(**changes)


def test_the_finest_level_may_have_pixels_of_one_length() -> None:
    modules = {part.name: part.layers[0].module for part in extras().parts}
    assert modules["normed_1"] == "L2Norm"
    assert not any("normed" in part.name for part in extras(l2_norm=False).parts)
    assert count(extras()).parameters - count(extras(l2_norm=False)).parameters == 8


def test_the_coarsest_level_of_the_backbone_may_see_further() -> None:
    reads = {part.name: part.reads for part in extras(spp=True).parts}
    assert reads["extra_3"] == ("further_2",)
    assert levels(extras(spp=True)) == levels(extras())


def test_words_without_effect_are_none() -> None:
    one = ssd(neck={"kind": "extras", "width": 16, "depth": 0})
    other = ssd(neck={**one["neck"], "valid": 1, "asff": True, "fusion": "add"})
    assert meaning(one) == meaning(other)


def test_only_levels_that_meet_need_sides_that_strides_divide() -> None:
    for neck in ({"kind": "none", "width": 8}, {"kind": "extras", "width": 8}):
        assert count(plan(detector(neck=neck), px=40)).parameters
    for neck in ({"kind": "fpn", "width": 8}, {"kind": "none", "width": 8, "asff": True}):
        with pytest.raises(BuildError, match="40 px is no multiple of the largest stride, 16"):
            plan(detector(neck=neck), px=40)


def test_windows_that_cut_sides_off_are_told_where_levels_meet() -> None:
    conv = {"conv": 8, "kernel": 3}
    layers = [{**conv, "padding": "valid"}, {"max_pool": 2}, conv, {"max_pool": 2}, conv]
    network = detector(backbone={"layers": layers})
    with pytest.raises(BuildError, match=r"map of stride 2 has 15 px of an input of 32, and .* 16"):
        plan(network)
    assert plan({**network, "neck": {"kind": "none", "width": 8}})


def test_fewer_channels_leave_levels_and_boxes() -> None:
    sized = scaled_network(blueprint(ssd()), Scale("full", 48, classes=3))
    before, after = planned(sized), planned(narrowed(sized, [0.5]))
    assert output_shapes(before) == output_shapes(after)
    assert count(after).parameters < count(before).parameters
