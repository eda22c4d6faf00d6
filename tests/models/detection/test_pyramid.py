"""Maps of several strides: brought to one size, fused, and taught by what reads them."""

import itertools
from typing import Any

import pytest
import torch
from detectors import blueprint, detector, plan

from evonas.hardware.memory import peak_memory_bytes
from evonas.hardware.predictor import work_of
from evonas.models import build, count, count_layers
from evonas.models.detection.pyramid import Fusion, Still, Upsample
from evonas.networks import Scale

SCALE = Scale("full", resolution_px=32, classes=3)


def test_a_pixel_becomes_a_square() -> None:
    maps = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 1, 2, 2)
    larger = Upsample(2)(maps)[0, 0].tolist()
    assert larger == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]


def test_maps_are_fused_in_three_ways() -> None:
    one, other = torch.ones(1, 2, 1, 1), 2 * torch.ones(1, 2, 1, 1)
    assert Fusion("add", 2)(one, other).flatten().tolist() == [3, 3]
    assert Fusion("concat", 2)(one, other).flatten().tolist() == [1, 1, 2, 2]
    weighted = Fusion("weighted", 2)
    torch.testing.assert_close(
        weighted(one, other).flatten(), torch.full((2,), 3 / (2 + 1e-4)), atol=1e-6, rtol=0
    )
    assert weighted.weights is not None
    with torch.no_grad():
        weighted.weights.values.copy_(torch.tensor([3.0, -1.0]))
    torch.testing.assert_close(weighted(one, other), one * 3 / (3 + 1e-4))


def test_what_reads_still_maps_does_not_teach_them() -> None:
    maps = torch.ones(1, 1, 1, 1, requires_grad=True)
    assert not Still()(maps).requires_grad
    with torch.no_grad():
        assert Still()(maps) is maps


CHANGES: list[dict[str, Any]] = [
    {"neck": {"width": 8, "kind": kind, **how}, "head": {"one_to_one": one}}
    for kind, how, one in itertools.product(
        ("pan", "fpn", "none"),
        ({"fusion": "weighted", "spp": True}, {"depthwise": True, "depth": 0}),
        (False, True),
    )
]
CHANGES += [{"neck": {"width": 8, "rfb": True, "asff": True, "sam": True, "compress": True}}]


@pytest.mark.parametrize("changes", CHANGES)
def test_gradients_reach_every_weight(changes: dict[str, Any]) -> None:
    network = build(blueprint(detector(**changes)), SCALE, seed=0).train()
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    outputs = network(images)
    loss = sum((each * each).mean() for each in outputs if each.requires_grad)
    assert isinstance(loss, torch.Tensor)
    loss.backward()  # type: ignore[no-untyped-call]
    without = [
        name
        for name, weights in network.named_parameters()
        if weights.grad is None or not weights.grad.abs().sum()
    ]
    assert without == []


@pytest.mark.parametrize("changes", CHANGES)
def test_one_to_one_boxes_teach_their_branch_alone(changes: dict[str, Any]) -> None:
    network = build(blueprint(detector(**changes)), SCALE, seed=0).train()
    outputs = network(torch.zeros(2, 3, 32, 32))
    sum(each.sum() for each in outputs[:3]).backward()
    taught = {name.split(".")[0] for name, w in network.named_parameters() if w.grad is not None}
    head = {f"{branch}_{level}" for branch in ("class", "box") for level in (1, 2)}
    assert head <= taught
    assert (taught == head) == changes.get("head", {}).get("one_to_one", False)


def test_a_small_detector_is_counted_as_by_hand() -> None:
    neck = {"kind": "fpn", "width": 8, "fusion": "add", "depth": 1, "depthwise": True, "kernel": 5}
    planned = plan(detector(neck=neck, head={"depth": 0, "bins": 1, "one_to_one": True}))
    norm = 2  # numbers for each channel
    stem = 3 * 9 * 8 + norm * 8
    stages = 9 * (8 * 8 + 8 * 16 + 16 * 24) + norm * (8 + 16 + 24)
    laterals = (16 + 24) * 8 + 2 * norm * 8
    mixed = 25 * 8 + norm * 8 + 8 * 8 + norm * 8
    branch = 2 * (8 * 3 + 3 + 8 * 4 + 4)  # of both levels: three classes, four distances
    deployed = planned.as_deployed()
    assert count(deployed).parameters == stem + stages + laterals + mixed + branch
    assert count(planned).parameters == count(deployed).parameters + branch
    at = {4: 8 * 8, 8: 4 * 4, 16: 2 * 2}  # pixels of 32 px at a stride
    macs = 3 * 9 * 8 * 16 * 16 + 9 * (8 * 8 * at[4] + 8 * 16 * at[8] + 16 * 24 * at[16])
    macs += 16 * 8 * at[8] + 24 * 8 * at[16] + (25 * 8 + 8 * 8) * at[8]
    macs += 8 * (3 + 4) * (at[8] + at[16])
    assert count(deployed).macs == macs


def test_what_a_level_sees_is_followed_up_and_down() -> None:
    neck = {"kind": "fpn", "width": 8, "fusion": "add", "depth": 1}
    maps = {row.name: row.maps for row in count_layers(plan(detector(neck=neck), px=64))}
    # Stages see 1 + 2 * (1 + 2 + 4 + 8) = 31 pixels at stride 16, three cells of stride 8 more.
    assert maps["lateral_2"].receptive_field_px == 31
    assert (maps["up_1"].receptive_field_px, maps["up_1"].jump_px) == (31, 8)
    assert maps["top_down_1"].receptive_field_px == 31 + 2 * 8
    assert maps["boxes"].shape == (80, 4)


def test_memory_and_work_are_known_without_running_it() -> None:
    planned = plan(detector()).as_deployed()
    weights = 4 * count(planned).parameters
    assert peak_memory_bytes(planned) > weights + 4 * 8 * 16 * 16
    assert work_of(planned).operations.total() > 30
