"""What a network section says of its norms and of leaky ReLU holds in every layer."""

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import changed, mistakes, problems_of
from torch import nn

from evonas.blueprint import Blueprint, network_key
from evonas.models import build
from evonas.networks import Scale
from evonas.space.check import check_space
from evonas.space.load import load_space_file

SAID = {"norm_eps": 0.25, "norm_momentum": 0.5, "leaky_slope": 0.75}
SCALE = Scale("full", 16, classes=4, filters=4, repeats=(1, 1, 1))
OF_STAGES = {"stem": {"channels": 8, "kernel": 3, "stride": 1}, "head": {"channels": 16}}
STAGE = {"kernel": 3, "channels": 8, "layers": 2, "stride": 1}
CONV = {**STAGE, "operation": "conv", "se_ratio": 0.25, "skip": "identity"}
DENSE = {**STAGE, "operation": "dense", "growth": 4, "mid_growths": 2}
TERMS = {"left": {"operation": "sep_conv_3x3", "state": 0}, "combine": "add"}
CELL = {
    "blocks": [{**TERMS, "right": {"operation": "max_pool_3x3", "state": 1}}],
    "output": "unused",
}
LAYERS = {
    "layers": [
        {"concat": [[{"conv": 4, "kernel": 1}], [{"conv": 4, "kernel": 3}, {"norm": "batch"}]]}
    ],
    "head": [{"activation": "leaky"}, {"global_pool": "average"}, {"linear": "classes"}],
}
EDGES = {f"edge_{edge}": "conv_3x3" for edge in ("01", "02", "12", "03", "13", "23")}
WRITTEN: dict[str, dict[str, Any]] = {
    "stages": {**OF_STAGES, "stages": [CONV, DENSE]},
    "cells": {"assembly": "nasnet", "normal": CELL, "reduction": CELL},
    "chain": LAYERS,
    "nas_bench_201": EDGES,
    "nas_bench_macro": {f"layer{index}": "mb_k3_e3" for index in range(8)},
}
grammars = pytest.mark.parametrize("builder", WRITTEN)


def blueprint(builder: str, **more: Any) -> Blueprint:
    return Blueprint({"builder": builder, "activation": "leaky", **WRITTEN[builder], **more})


def constants(network: nn.Module) -> dict[str, set[float]]:
    """The constants that there are in its layers."""
    found: dict[str, set[float]] = {key: set() for key in SAID}
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
            found["norm_eps"].add(module.eps)
        if isinstance(module, nn.BatchNorm2d):
            found["norm_momentum"].add(float(module.momentum or 0))
        if isinstance(module, nn.LeakyReLU):
            found["leaky_slope"].add(module.negative_slope)
    return found


@grammars
def test_every_layer_has_the_constants_of_its_network(builder: str) -> None:
    said = constants(build(blueprint(builder, **SAID), SCALE))
    assert said == {key: {value} for key, value in SAID.items()}
    usual = constants(build(blueprint(builder), SCALE))
    assert usual == {"norm_eps": {1e-5}, "norm_momentum": {0.1}, "leaky_slope": {0.1}}


@grammars
def test_what_is_usual_may_be_said_and_is_the_same_design(builder: str) -> None:
    usual = blueprint(builder, norm_eps=1e-5, norm_momentum=0.1, leaky_slope=0.1)
    assert usual.fingerprint == blueprint(builder).fingerprint
    assert network_key(usual, SCALE) == network_key(blueprint(builder), SCALE)


@grammars
@pytest.mark.parametrize("key", SAID)
def test_another_constant_is_another_design(builder: str, key: str) -> None:
    other = blueprint(builder, **{key: SAID[key]})
    assert other.fingerprint != blueprint(builder).fingerprint
    assert network_key(other, SCALE) != network_key(blueprint(builder), SCALE)


@pytest.mark.parametrize("builder", ["stages", "cells", "nas_bench_201", "nas_bench_macro"])
@pytest.mark.parametrize(
    ("key", "without"),
    [
        ("norm_eps", {"norm": "none"}),
        ("norm_momentum", {"norm": "group"}),
        ("leaky_slope", {"activation": "mish"}),
    ],
)
def test_a_constant_of_what_a_network_has_not_is_no_other_design(
    builder: str, key: str, without: dict[str, str]
) -> None:
    idle = blueprint(builder, **without, **{key: SAID[key]})
    assert idle.fingerprint == blueprint(builder, **without).fingerprint


SPACE = """\
scales: {proxy: {resolution_px: 8}, full: {resolution_px: 16}}
network:
  builder: chain
  activation: leaky
  leaky_slope: {choice: [0.01, 0.1]}
  norm_eps: {log: [0.00001, 0.01]}
  layers: [{conv: 8, kernel: 3}]
  head: [{global_pool: average}, {linear: classes}]
"""


def test_constants_may_be_genes(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(SPACE)
    space = load_space_file(tmp_path / "mine.yaml")
    check_space(space)
    network = build(space.decode([0, -2.0]), space.scales["full"])
    found = constants(network)
    assert found["leaky_slope"] == {0.01}
    assert [*found["norm_eps"]] == [pytest.approx(0.01)]


@mistakes("""
norm_eps: { => norm_epsilon: {
    Did you mean "norm_eps"
leaky_slope: { => leaky_slop: {
    Did you mean "leaky_slope"
[0.01, 0.1] => [-0.1, 0.1]
    -0.1 is not a slope of leaky ReLU. Write a number from 0 to 1
[0.00001, 0.01] => [0.00001, 2]
    is not what a norm adds to a variance. Write a number from 1e-12 to 1
norm_eps: {log: [0.00001, 0.01]} => norm_momentum: none
    none is not a share of a batch
""")
def test_a_wrong_constant_is_told(wrong: tuple[str, str], told: str) -> None:
    Path("mine.yaml").write_text(changed(SPACE, wrong))
    problems = problems_of(lambda: check_space(load_space_file(Path("mine.yaml"))))
    assert any(told in problem and "mine.yaml" in problem for problem in problems)


@pytest.mark.parametrize("channels", [1, 3, 8])
def test_prelu_has_a_slope_for_each_channel(channels: int) -> None:
    layers = [{"conv": channels, "kernel": 1}]
    head = [{"activation": "prelu"}, {"global_pool": "average"}, {"linear": "classes"}]
    chain = {"builder": "chain", "activation": "prelu", "layers": layers, "head": head}
    network = build(Blueprint(chain), SCALE, seed=0)
    slopes = [module.weight for module in network.modules() if isinstance(module, nn.PReLU)]
    assert [len(each) for each in slopes] == [channels, channels]
    assert all(torch.equal(each, torch.full_like(each, 0.25)) for each in slopes)
