import ast
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from evonas.blueprint import Blueprint, plan_network
from evonas.exporters.agreement import outputs_of
from evonas.exporters.source import network_source
from evonas.models import build, deployed
from evonas.networks.cells.graph import COMBINES
from evonas.networks.cells.operations import OPERATIONS
from evonas.networks.plan import Plan
from evonas.networks.stages.blocks import BLOCKS
from evonas.networks.stages.section import STAGE_DEFAULTS
from evonas.space import Scale, SearchSpace, known_spaces, load_space
from evonas.tasks.detection.detect import detect

SCALE = Scale("full", resolution_px=16, input_channels=1, classes=4)


def of_one_block(operation: str, se_ratio: float = 0) -> Blueprint:
    own = {key: 3 for key in BLOCKS[operation].keys if key not in STAGE_DEFAULTS}
    stage = {
        "operation": operation,
        **own,
        "kernel": 3,
        "se_ratio": se_ratio,
        "skip": "identity",
        "channels": 8,
        "layers": 2,
        "stride": 1,
    }
    return Blueprint(
        {
            "builder": "stages",
            "activation": "relu6",
            "stem": {"channels": 8, "kernel": 3, "stride": 2},
            "stages": [stage],
            "head": {"channels": 16},
        }
    )


def run(source: str, folder: Path) -> dict[str, Any]:
    """What the source defines, run like a file of that folder."""
    names: dict[str, Any] = {"__file__": str(folder / "model.py"), "__name__": "model"}
    exec(compile(source, "model.py", "exec"), names)
    return names


def classes_in(source: str) -> set[str]:
    return {node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}


def imported(source: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
    return found


def assert_rebuilds(blueprint: Blueprint, scale: Scale, folder: Path) -> None:
    """The source beside the weights computes exactly what was built."""
    network = build(blueprint, scale, seed=1)
    network(torch.randn(4, *scale.input_shape, generator=torch.Generator().manual_seed(0)))
    weights: Mapping[str, torch.Tensor] = network.eval().state_dict()
    save_file(dict(weights), folder / "weights.safetensors")
    names = run(network_source(plan_network(blueprint, scale), "A title"), folder)
    loaded = names["load"]()
    assert list(loaded.state_dict()) == list(weights)
    example = names["example_input"]()
    assert example.shape == (1, *scale.input_shape)
    for is_learning, wanted in ((False, deployed(network)), (True, network)):
        loaded.is_learning = is_learning
        pairs = zip(outputs_of(loaded, example), outputs_of(wanted, example), strict=True)
        assert all(torch.equal(*pair) for pair in pairs)


@pytest.mark.parametrize("operation", BLOCKS)
def test_the_source_of_every_block_rebuilds_the_network(operation: str, tmp_path: Path) -> None:
    assert_rebuilds(of_one_block(operation, se_ratio=0.25), SCALE, tmp_path)


@pytest.mark.parametrize("space_name", known_spaces())
def test_the_source_of_a_random_design_rebuilds_the_network(
    space_name: str, tmp_path: Path
) -> None:
    space: SearchSpace = load_space(space_name)
    blueprint = space.decode(space.sample(np.random.default_rng(5)))
    assert_rebuilds(blueprint, space.scales["proxy"], tmp_path)


def of_one_operation(operation: str, combine: str = "add", **more: Any) -> Blueprint:
    """Cells of two blocks, each with the operation and a pooling."""
    pooling = {"operation": "max_pool_3x3", "state": 1}
    blocks = [
        {"left": {"operation": operation, "state": state}, "right": pooling, "combine": combine}
        for state in (0, 2)
    ]
    cell = {"blocks": blocks, "output": [1, 3]}
    network = {"builder": "cells", "assembly": "nasnet", "activation": "relu", **more}
    return Blueprint({**network, "normal": cell, "reduction": cell})


CELLS = Scale("full", resolution_px=16, classes=4, filters=4, repeats=(1, 1, 1))


# test_operations has all of them in one source.
OF_EACH_MODULE = {operation.module: name for name, operation in OPERATIONS.items()}


@pytest.mark.parametrize("operation", OF_EACH_MODULE.values())
def test_the_source_of_every_operation_rebuilds_the_network(operation: str, tmp_path: Path) -> None:
    assert_rebuilds(of_one_operation(operation), CELLS, tmp_path)


@pytest.mark.parametrize("activation", ["leaky", "prelu"])
@pytest.mark.parametrize("operation", ["conv", "dense", "inverted_residual"])
def test_the_source_has_the_constants_of_the_network(
    operation: str, activation: str, tmp_path: Path
) -> None:
    said = {"activation": activation, "norm_eps": 0.5, "norm_momentum": 0.3, "leaky_slope": 0.4}
    blueprint = Blueprint({**of_one_block(operation).network, **said})
    assert_rebuilds(blueprint, SCALE, tmp_path)
    source = network_source(plan_network(blueprint, SCALE), "A title")
    kept = ", leaky_slope=0.4" if activation == "leaky" else ""
    assert f"set_constants(self, norm_eps=0.5, norm_momentum=0.3{kept})" in source
    usual = network_source(plan_network(of_one_block(operation), SCALE), "A title")
    assert "set_constants" not in usual


@pytest.mark.parametrize(
    "operation", [name for name, block in BLOCKS.items() if "skip" in block.keys]
)
def test_the_source_of_a_block_that_skips_by_pooling_rebuilds_the_network(
    operation: str, tmp_path: Path
) -> None:
    network = of_one_block(operation).network
    stages = [{**network["stages"][0], "skip": "pool"}]
    assert_rebuilds(Blueprint({**network, "stages": stages}), SCALE, tmp_path)


@pytest.mark.parametrize("combine", COMBINES)
@pytest.mark.parametrize("assembly", ["nasnet", "darts"])
def test_the_source_of_every_combination_and_assembly_rebuilds_the_network(
    combine: str, assembly: str, tmp_path: Path
) -> None:
    blueprint = of_one_operation("sep_conv_3x3", combine, assembly=assembly)
    assert_rebuilds(blueprint, CELLS, tmp_path)
    deep = replace(CELLS, stem="imagenet", resolution_px=32, far_input=True)
    assert_rebuilds(blueprint, deep, tmp_path)


@pytest.mark.parametrize(
    "more", [{"drop_path": 0.3}, {"norm": "group"}, {"norm": "none"}, {"activation": "prelu"}]
)
def test_the_source_keeps_what_all_layers_have_in_common(
    more: dict[str, Any], tmp_path: Path
) -> None:
    assert_rebuilds(of_one_operation("sep_conv_3x3", **more), CELLS, tmp_path)
    of_stages = of_one_block("inverted_residual", 0.25)
    assert_rebuilds(Blueprint({**of_stages.network, **more}), SCALE, tmp_path)


def test_the_source_of_a_detector_detects_as_evonas_does(tmp_path: Path) -> None:
    space = load_space("detector")
    blueprint, scale = space.decode([gene.default_number for gene in space.genes]), space.scales
    network = build(blueprint, scale["proxy"], seed=1).eval()
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    names = run(network_source(network.plan, "A title"), tmp_path)
    images = torch.randn(2, *scale["proxy"].input_shape, generator=torch.Generator().manual_seed(0))
    seen = names["detect"](names["load"](), images, confidence=0.005)
    wanted = detect(deployed(network), images, confidence=0.005)
    assert [len(boxes) for boxes, _, _ in seen] == [len(boxes) for boxes, _, _ in wanted]
    assert len(seen[0][0]) > 1
    for own, other in zip(seen, wanted, strict=True):
        assert all(torch.equal(*pair) for pair in zip(own, other, strict=True))


@pytest.mark.parametrize("space_name", known_spaces())
def test_the_source_at_full_scale_is_tidy_python(space_name: str, tmp_path: Path) -> None:
    space = load_space(space_name)
    blueprint = space.decode(space.sample(np.random.default_rng(5)))
    source = network_source(plan_network(blueprint, space.scales["full"]), "A title")
    names = [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    assert len(names) == len(set(names))
    file = tmp_path / "model.py"
    file.write_text(source, encoding="utf-8")
    ruff = [Path(sys.executable).with_name("ruff"), "check", "--isolated", "--select=F,E,W"]
    checked = subprocess.run(
        [*ruff, "--line-length=100", file], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("operation", BLOCKS)
def test_the_source_needs_torch_and_safetensors_alone(operation: str) -> None:
    source = network_source(plan(operation, 0.25), "A title")
    packages = {module.split(".")[0] for module in imported(source)}
    standard = {"pathlib", "collections", "typing"}
    assert {"torch", "safetensors"} <= packages <= {"torch", "safetensors", *standard}


def plan(operation: str, se_ratio: float = 0) -> Plan:
    return plan_network(of_one_block(operation, se_ratio), SCALE)


@pytest.mark.parametrize("operation", BLOCKS)
def test_the_source_has_no_block_that_the_network_lacks(operation: str) -> None:
    source = network_source(plan(operation), "A title")
    blocks = {block.module for block in BLOCKS.values()}
    built = {BLOCKS[operation].module} - {"Identity"}  # one that does nothing is left out
    assert classes_in(source) & blocks == built
    assert {"ConvNormActivation", "ClassifierHead", "Network"} <= classes_in(source)


def test_no_class_is_written_twice_and_each_stands_before_its_use() -> None:
    source = network_source(plan("inverted_residual", 0.25), "A title")
    names = [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    assert len(names) == len(set(names))
    assert names[-1] == "Network"


def test_the_source_opens_with_its_title_and_tells_its_shapes(tmp_path: Path) -> None:
    names = run(network_source(plan("conv"), "nano-7 of run demo"), tmp_path)
    assert names["__doc__"].startswith("nano-7 of run demo\n")
    assert names["Network"].__doc__ == "(batch, 1, 16, 16) to logits (batch, 4)."
