"""Sections of fewer channels and of fewer blocks."""

from typing import Any

import pytest
from conftest import a_network, a_stage
from detectors import detector

from evonas.blueprint import Blueprint, scaled_network
from evonas.errors import BuildError
from evonas.networks import Scale, narrowed, planned, shallower, tidied
from evonas.presets import preset

SCALE = Scale("proxy", 32, classes=10)


def a_section(network: dict[str, Any], scale: Scale = SCALE) -> dict[str, Any]:
    return scaled_network(Blueprint(tidied(network)[0]), scale)


def published(name: str) -> dict[str, Any]:
    return scaled_network(preset(name).blueprint, preset(name).scale)


def widths(section: dict[str, Any]) -> list[int]:
    stages = [stage["channels"] for stage in section["stages"]]
    return [section["stem"]["channels"], *stages, section["head"]["channels"]]


def layers(section: dict[str, Any]) -> list[int]:
    return [stage["layers"] for stage in section["stages"]]


def test_all_widths_of_stages_lose_a_share_and_the_last_holds_for_the_others() -> None:
    stages = [a_stage(channels=c, stride=2) for c in (32, 64, 96)]
    section = a_section(a_network(*stages, head={"channels": 128, "hidden": 64}))
    assert widths(narrowed(section, [0.5])) == [8, 16, 32, 48, 64]
    assert widths(narrowed(section, [0.25, 0.5])) == [16, 24, 32, 48, 64]
    assert narrowed(section, [0.5])["head"]["hidden"] == 32
    assert narrowed(section, [0.5])["classes"] == 10


def test_what_is_skipped_around_is_so_in_a_narrower_network() -> None:
    section = a_section(a_network(a_stage(channels=16), a_stage(channels=24), a_stage(channels=24)))
    assert widths(narrowed(section, [0.5])) == [8, 8, 16, 16, 32]
    assert widths(narrowed(section, [0.5, 0.4, 0.1])) == [8, 8, 16, 16, 56]


def test_widths_that_nothing_depends_on_may_become_the_same() -> None:
    section = a_section(a_network(*(a_stage(channels=c, skip="none") for c in (24, 32))))
    assert widths(narrowed(section, [0.5]))[1:3] == [16, 16]


def test_groups_of_a_plain_convolution_are_such_that_whole_ones_join() -> None:
    section = a_section(a_network(a_stage(channels=24, groups=32, stride=2)))
    assert narrowed(section, [0.4])["stages"][0]["groups"] == 8


def test_a_dense_stage_grows_by_less() -> None:
    narrow = narrowed(published("densenet121"), [0.5])
    assert [stage["growth"] for stage in narrow["stages"]] == [16] * 4


def test_cells_have_fewer_filters() -> None:
    narrow = narrowed(published("nasnet_a_mobile"), [0.5])
    assert (narrow["filters"], narrow["stem_channels"]) == (24, 16)


def test_a_detector_loses_channels_in_backbone_and_neck() -> None:
    section = a_section(detector(neck={"width": 64}))
    narrow = narrowed(section, [0.5])
    assert [stage["channels"] for stage in narrow["backbone"]["stages"]] == [8, 8, 16]
    assert narrow["neck"]["width"] == 32
    assert narrow["head"] == section["head"]
    planned(narrow)


def test_a_chain_keeps_what_gives_the_logits() -> None:
    narrow = narrowed(published("vgg11"), [0.5])
    assert [layer["linear"] for layer in narrow["head"] if "linear" in layer] == [2048, 2048, 1000]
    assert planned(narrow).outputs == ("head",)


@pytest.mark.parametrize("change", [narrowed, shallower])
def test_there_are_no_more_shares_than_stages(change: Any) -> None:
    with pytest.raises(BuildError, match="has 3 shares, one a stage, and this network has 1 stage"):
        change(a_section(a_network(a_stage(layers=3))), [0.1, 0.2, 0.3])


def test_a_network_without_stages_takes_one_share() -> None:
    with pytest.raises(BuildError, match=r"has 2 shares.*no stages. Write compression.pruning.rat"):
        narrowed(published("lenet5"), [0.1, 0.2])


def test_blocks_with_a_shortcut_go_the_last_stage_first() -> None:
    section = published("resnet18")
    assert layers(section) == [2, 2, 2, 2]
    assert layers(shallower(section, [0.2])) == [2, 2, 2, 1]
    assert layers(shallower(section, [0.8])) == [1, 1, 1, 1]
    assert layers(shallower(section, [0.5, 0.9, 0.1])) == [1, 1, 2, 2]


def test_a_stage_of_one_block_may_go_as_a_whole() -> None:
    section = a_section(a_network(a_stage(channels=32, stride=2), a_stage(channels=32)))
    assert layers(section) == [1, 1]
    assert layers(shallower(section, [0.5])) == [1]


def test_fractal_blocks_become_their_deepest_column() -> None:
    section = published("fractalnet_c3")
    lone = shallower(section, [0.5])["stages"]
    assert [(stage["columns"], stage["layers"]) for stage in lone] == [(1, 4)] * 5


@pytest.mark.parametrize("name", ["densenet121", "mobilenet_v1"])
def test_a_network_without_shortcuts_keeps_its_blocks(name: str) -> None:
    with pytest.raises(BuildError, match="no block of this network can go"):
        shallower(published(name), [0.5])


@pytest.mark.parametrize(("name", "builder"), [("lenet5", "chain"), ("darts_v2_small", "cells")])
def test_only_stages_have_blocks_that_can_go(name: str, builder: str) -> None:
    with pytest.raises(BuildError, match=f"this one is a network of {builder}"):
        shallower(published(name), [0.5])
