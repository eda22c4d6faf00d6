"""Every space that is shipped: what its designs are, that all of them can be built, trained, kept.

EVONAS_DESIGNS: how many designs of each space are trained for a step and exported (10).
"""

import math
import os
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from evonas.blueprint import Blueprint, network_key, plan_network
from evonas.exporters.agreement import onnx_agreement
from evonas.exporters.onnx import onnx_model
from evonas.models import build, count, deployed
from evonas.networks.grammar import CONSTANTS
from evonas.presets import preset, presets
from evonas.space import SearchSpace, known_spaces, load_space
from evonas.space.check import check_space
from evonas.tasks.task import Outputs, outputs_of

DESIGNS = int(os.environ.get("EVONAS_DESIGNS", "10"))
SPACES = tuple(known_spaces())
# Fewer than 250 where nearly every layer is another.
COUNTED = {"residual_stages": 75, "dense_stages": 30, "conv_zoo": 75}

spaces = pytest.mark.parametrize("name", SPACES)


@cache
def space_of(name: str) -> SearchSpace:
    return load_space(name)


def sampled(name: str, designs: int, seed: int = 0) -> Iterator[Blueprint]:
    space = space_of(name)
    rng = np.random.default_rng(seed)
    for _ in range(designs):
        yield space.decode(space.sample(rng))


@spaces
def test_a_space_says_what_it_is_and_passes_its_check(name: str) -> None:
    space = space_of(name)
    check_space(space)
    assert space.title
    assert space.source
    assert set(space.scales) == {"proxy", "full"}
    assert space.size > 1


def test_the_sizes_of_the_spaces_are_those_of_their_papers() -> None:
    blocks = math.prod((13 * states) ** 2 * 2 for states in range(2, 7))
    assert space_of("nasnet_cells").size == (blocks * (1 + 2**7)) ** 2
    assert space_of("darts_cells").size == math.prod((7 * n) ** 2 for n in range(2, 6)) ** 2
    # 6 operations in the first of each width, those and the identity in the three more
    assert space_of("mobile_layers").size == 2 * 6**6 * 7**15
    # kind, mid_ratio, order, shortcut, attention; bottlenecks: groups, radix, from the second
    # stage on the place of the stride; channels and layers
    kinds = [3 * 5 * 3 * 2 * (1 + 5 * 3 * places) for places in (1, 2, 2, 2)]
    sizes = [3 * depths * kind for depths, kind in zip((3, 6, 8, 3), kinds, strict=True)]
    assert space_of("residual_stages").size == 2**5 * math.prod(sizes)
    assert space_of("nas_bench_201").size == 15_625
    # conv, separable, or one of two expansions; kernels; skips; channels; layers
    assert space_of("nano").size == 2 * (4 * 2 * 2 * 2 * 2) * (4 * 2 * 2 * 3 * 2)
    channels_times_layers = [2 * 2, 2 * 3, 3 * 3, 3 * 3, 4 * 3, 4 * 3, 3 * 2]
    # 4 operations, 2 kernels, 2 ratios of attention, 3 skips
    assert space_of("mobile_cells").size == 2 * math.prod(48 * n for n in channels_times_layers)
    assert space_of("nas_bench_macro").size == 6_561


@pytest.mark.slow
@spaces
def test_a_thousand_designs_can_be_written_down_and_many_planned_and_counted(name: str) -> None:
    space = space_of(name)
    rng = np.random.default_rng(1)
    prints = set()
    counted_ones = COUNTED.get(name, 250)
    for number in range(1000):
        chromosome = space.sample(rng)
        design = space.decode(chromosome)
        canonical = space.encode(design)
        again = space.decode(canonical)
        assert space.encode(again) == canonical == space.canonical(chromosome)
        assert again.fingerprint == design.fingerprint
        assert again.network == design.network
        assert again.repairs == ()
        for scale in space.scales.values():
            if number >= counted_ones:
                break
            assert network_key(again, scale) == network_key(design, scale)
            counted = count(plan_network(design, scale))
            assert counted.parameters > 0
            assert counted.macs > 0
        prints.add(design.fingerprint)
    assert len(prints) > 1000 * (0.9 if space.size > 1e6 else 0.5)


@spaces
@settings(deadline=None, derandomize=True, max_examples=60)
@given(data=st.data())
def test_any_numbers_are_a_design_with_one_chromosome(name: str, data: st.DataObject) -> None:
    space = space_of(name)
    numbers = st.floats(-20, 20) | st.floats(allow_nan=False)
    length = len(space.genes)
    design = space.decode(data.draw(st.lists(numbers, min_size=length, max_size=length)))
    canonical = space.encode(design)
    again = space.decode(canonical)
    assert (again.network, again.training) == (design.network, design.training)
    assert again.fingerprint == design.fingerprint
    assert space.encode(again) == canonical
    survived = Blueprint.from_dict(design.to_dict())
    assert survived.fingerprint == design.fingerprint


def settle(network: nn.Module, images: torch.Tensor) -> None:
    """Gives norms the statistics of these images: without, deep networks overflow."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(images)


@pytest.mark.slow
@spaces
def test_designs_learn_and_onnx_agrees(name: str) -> None:
    scale = space_of(name).scales["proxy"]
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(4, *scale.input_shape, generator=generator)
    labels = torch.randint(scale.classes, (4,), generator=generator)
    for design in sampled(name, DESIGNS, seed=4):
        network = build(design, scale, seed=0)
        before = [weights.detach().clone() for weights in network.parameters()]
        optimiser = torch.optim.SGD(network.parameters(), lr=0.05)
        loss = some_loss(outputs_of(network(images)), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        assert loss.isfinite()
        after = list(network.parameters())
        assert all(weights.isfinite().all() for weights in after)
        assert any(not torch.equal(*pair) for pair in zip(before, after, strict=True))
        settle(network, images)
        shipped = deployed(network)
        model = onnx_model(shipped, scale.input_shape, batch=4)
        assert onnx_agreement(shipped, model, images).difference < 1e-4


def some_loss(outputs: Outputs, labels: torch.Tensor) -> torch.Tensor:
    """That of classes; of several outputs one that all of them change."""
    if len(outputs) == 1:
        return nn.functional.cross_entropy(outputs[0], labels)
    return sum((output.square().mean() for output in outputs), start=torch.zeros(()))


MEMBERS = {
    "mobile_cells": ("mnasnet_a1", "mnasnet_b1", "mobilenet_v2"),
    "mobile_layers": ("proxylessnas_mobile",),
    "dense_stages": (
        *("densenet121", "densenet161", "densenet169", "densenet201", "densenet264"),
        "dpn92",
    ),
    "conv_zoo": (
        *("resnet18", "resnet34", "resnet50", "wide_resnet50_2", "resnext50_32x4d"),
        *("densenet121", "dpn92"),
    ),
    "nasnet_cells": tuple(
        name for name in presets() if name.startswith(("nasnet_a_", "pnasnet_5_", "amoebanet_a_"))
    ),
    "darts_cells": tuple(name for name in presets() if name.startswith("darts_")),
    "residual_stages": (
        *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
        *("wide_resnet50_2", "wide_resnet101_2", "resnext50_32x4d", "resnext101_32x8d"),
        *("preact_resnet50", "se_resnet50"),
        *("resnest14d", "resnest26d", "resnest50d", "resnest101e"),
    ),
    "yolo_family": (
        *("yolov2_coco", "yolov2_voc", "yolov2_tiny_voc", "yolov3_coco", "yolov3_voc"),
        *("yolov3_tiny", "yolov3_spp", "yolov3_asff", "yolov4_coco", "yolov4_tiny"),
        "ssd300_vgg16_voc",
    ),
}


@pytest.mark.parametrize(("name", "member"), [(n, m) for n, of in MEMBERS.items() for m in of])
def test_a_space_contains_the_networks_it_was_made_after(name: str, member: str) -> None:
    space, design = space_of(name), preset(member).blueprint
    encoded = space.decode(space.encode(design))
    # The eps of norms is the space's, and anchors are those of a training.
    network = {key: value for key, value in design.network.items() if key not in CONSTANTS}
    if network["builder"] == "detector":
        head = network["head"].items()
        network["head"] = {key: value for key, value in head if key != "anchor_sizes"}
    assert encoded.fingerprint == Blueprint(network).fingerprint


def why_not(space: SearchSpace, design: Blueprint) -> str:
    """Why the space does not contain the design; nothing if it does."""
    try:
        space.encode(design)
    except ValueError as problem:
        return str(problem)
    return ""


@spaces
def test_of_other_networks_a_space_says_what_it_lacks(name: str) -> None:
    reasons = {
        other: why_not(space_of(name), found.blueprint) for other, found in presets().items()
    }
    contained = {other for other, reason in reasons.items() if not reason}
    # MobileNetV2 and MnasNet-B1 are there at each of their widths.
    members = tuple(MEMBERS.get(name, ()))
    assert set(members) <= contained <= {other for other in presets() if other.startswith(members)}
    assert all(reason.startswith("network.") for reason in reasons.values() if reason)


# Rows of the table of NAS-Bench-Macro: identity, mb_k3_e3 or mb_k5_e6 in each layer, parameters
# and multiply-adds.
NAS_BENCH_MACRO = [
    ("00000000", 387882, 7713280),
    ("20011011", 1424362, 43684352),
    ("10212022", 2458634, 68375040),
    ("21201110", 1140650, 51280384),
    ("20000010", 813546, 24257024),
    ("12110000", 591434, 37986816),
    ("22122000", 939690, 64823808),
    ("12222120", 1922826, 81766912),
    ("02122012", 2152938, 74281472),
    ("00201211", 1659946, 45777408),
    ("22011010", 1081066, 52322816),
    ("00110020", 1354090, 31728128),
    ("00221200", 1071658, 46785024),
    ("01111100", 773034, 36026880),
    ("01220111", 1637994, 54839808),
    ("01212112", 2169322, 68147712),
    ("20001022", 2176362, 50762240),
    ("02101121", 1937898, 57420288),
    ("10000022", 2059274, 38523392),
    ("22112022", 2487082, 83919360),
]


@pytest.mark.parametrize(("layers", "parameters", "macs"), NAS_BENCH_MACRO)
def test_counts_are_those_of_the_table_of_nas_bench_macro(
    layers: str, parameters: int, macs: int
) -> None:
    space = space_of("nas_bench_macro")
    design = space.decode([float(layer) for layer in layers])
    counted = count(plan_network(design, space.scales["full"]))
    assert (counted.parameters, counted.macs) == (parameters, macs)


# Rows of the table of NAS-Bench-201 in which every operation counts: the edges 01, 02, 12, 03,
# 13, 23 and the parameters at 10 classes. (Its multiply-adds count poolings too.)
NAS_BENCH_201 = [
    ("conv_1x1 avg_pool_3x3 avg_pool_3x3 conv_3x3 skip_connect skip_connect", 344346),
    ("conv_1x1 conv_3x3 skip_connect skip_connect conv_3x3 avg_pool_3x3", 587386),
    ("conv_3x3 conv_1x1 conv_3x3 skip_connect avg_pool_3x3 avg_pool_3x3", 587386),
    ("skip_connect conv_3x3 none conv_1x1 skip_connect avg_pool_3x3", 344346),
    ("skip_connect skip_connect conv_3x3 none skip_connect skip_connect", 316346),
    ("conv_1x1 conv_1x1 avg_pool_3x3 none conv_1x1 avg_pool_3x3", 157306),
    ("conv_1x1 none conv_1x1 skip_connect skip_connect avg_pool_3x3", 129306),
    ("skip_connect conv_3x3 avg_pool_3x3 conv_3x3 conv_1x1 conv_1x1", 615386),
    ("skip_connect none avg_pool_3x3 conv_1x1 none conv_3x3", 344346),
    ("conv_3x3 avg_pool_3x3 conv_1x1 avg_pool_3x3 none skip_connect", 344346),
    ("conv_3x3 conv_3x3 conv_1x1 conv_1x1 avg_pool_3x3 conv_1x1", 643386),
    ("conv_1x1 conv_3x3 none conv_3x3 avg_pool_3x3 conv_1x1", 615386),
    ("avg_pool_3x3 avg_pool_3x3 conv_1x1 conv_3x3 none avg_pool_3x3", 344346),
    ("conv_1x1 conv_3x3 conv_3x3 skip_connect skip_connect skip_connect", 587386),
    ("skip_connect avg_pool_3x3 conv_1x1 conv_3x3 conv_1x1 conv_1x1", 400346),
    ("none skip_connect none avg_pool_3x3 none skip_connect", 73306),
    ("avg_pool_3x3 avg_pool_3x3 avg_pool_3x3 none conv_1x1 skip_connect", 101306),
    ("conv_3x3 avg_pool_3x3 conv_1x1 skip_connect avg_pool_3x3 conv_3x3", 587386),
    ("conv_3x3 skip_connect conv_3x3 none conv_1x1 conv_1x1", 615386),
    ("conv_1x1 none avg_pool_3x3 conv_3x3 none skip_connect", 344346),
]


@pytest.mark.parametrize(("edges", "parameters"), NAS_BENCH_201)
def test_parameters_are_those_of_the_table_of_nas_bench_201(edges: str, parameters: int) -> None:
    space = space_of("nas_bench_201")
    names = ["edge_01", "edge_02", "edge_12", "edge_03", "edge_13", "edge_23"]
    assert [gene.key_path[-1] for gene in space.genes] == names
    pairs = zip(space.genes, edges.split(), strict=True)
    design = space.decode([gene.number(operation) for gene, operation in pairs])
    assert count(plan_network(design, space.scales["full"])).parameters == parameters
