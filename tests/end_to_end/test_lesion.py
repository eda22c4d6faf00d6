"""What experiments/lesion.py calls leaving a block out is to build the network without it."""

import importlib
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from conftest import REPOSITORY
from torch import nn

from evonas.blueprint import Blueprint
from evonas.models import build
from evonas.models.layers import Block
from evonas.networks import Scale
from evonas.presets import preset

EXPERIMENTS = REPOSITORY / "experiments"
FIXED = str(EXPERIMENTS / "spaces" / "fixed_convnet.yaml")


@pytest.fixture(scope="module")
def lesion() -> Iterator[Any]:
    """The script as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXPERIMENTS)
        yield importlib.import_module("lesion")


def task(lesion: Any, network: str, way: str = "residual") -> Any:
    training = ("training.epochs=1", "training.batch_size=16")
    words = ("data=digits", "data.subset=300", "objectives=accuracy", *training)
    return lesion.Task(words, network, 0.5, 8, way, 3)


def network_and_design(lesion: Any, name: str) -> tuple[nn.Module, Blueprint, Scale]:
    blueprint, scale = lesion.network_of(task(lesion, name))
    return randomised(build(blueprint, scale, 5)), blueprint, scale


def randomised(network: nn.Module) -> nn.Module:
    """With statistics that differ from norm to norm, so that no two blocks are alike."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.running_var, module.weight, module.bias):
                assert values is not None
                values.data.uniform_(0.5, 1.5, generator=generator)
    return network.eval()


def shorter(network: nn.Module, blueprint: Blueprint, scale: Scale) -> nn.Module:
    """The network without the second block of its second stage, with the weights of the others."""
    stages = list(blueprint.network["stages"])
    stages[1] = {**stages[1], "layers": stages[1]["layers"] - 1}
    other = build(Blueprint({**blueprint.network, "stages": stages}), scale)
    moved = {
        name.replace("stage_2.2.", "stage_2.1."): values
        for name, values in network.state_dict().items()
        if not name.startswith("stage_2.1.")
    }
    other.load_state_dict(moved)
    return other.eval()


@pytest.mark.parametrize("name", ["resnet20_cifar", FIXED])
@pytest.mark.parametrize("has_skips", [True, False])
@torch.no_grad()
def test_a_block_left_out_is_a_network_built_without_it(
    lesion: Any, name: str, has_skips: bool
) -> None:
    network, blueprint, scale = network_and_design(lesion, name)
    other = shorter(network, blueprint, scale)
    images = torch.rand(2, *scale.input_shape)
    with_skips = network(images)
    if not has_skips:
        lesion.cut_skips(network)
        lesion.cut_skips(other)
        assert not torch.allclose(network(images), with_skips)
    whole = network(images)
    with lesion.without(network, "stage_2.1"):
        torch.testing.assert_close(network(images), other(images))
        assert not torch.allclose(network(images), whole)
    assert torch.equal(network(images), whole)


@torch.no_grad()
def test_where_the_shape_changes_the_shortcut_stays(lesion: Any) -> None:
    network, _, _ = network_and_design(lesion, "resnet20_cifar")
    block = network.get_submodule("stage_2.0")
    maps = torch.rand(2, 8, 8, 8)
    shortcut = block.get_submodule("shortcut")(maps)
    with lesion.without(network, "stage_2.0"):
        torch.testing.assert_close(block(maps), shortcut.relu())


def test_every_residual_block_has_its_turn(lesion: Any) -> None:
    network, _, _ = network_and_design(lesion, "resnet20_cifar")
    blocks = lesion.residual_blocks(network)
    assert list(blocks) == [f"stage_{stage}.{place}" for stage in (1, 2, 3) for place in range(3)]
    lesion.cut_skips(network)
    assert not lesion.residual_blocks(network)


@torch.no_grad()
def test_n_blocks_have_2_to_the_n_paths_and_half_as_many_without_one(lesion: Any) -> None:
    # arXiv 1605.06431, section 3: if each branch passes maps on, every path adds them once
    blocks = [Block([nn.Identity()], skip=True) for _ in range(10)]
    network = nn.Sequential(*blocks)
    one = torch.ones(1, 1, 1, 1)
    assert network(one).item() == 2**10
    with lesion.without(network, "4"):
        assert network(one).item() == 2**9
    assert len(lesion.residual_blocks(build(*resnet110()))) == 54


def resnet110() -> tuple[Blueprint, Scale]:
    found = preset("resnet110_cifar")
    return found.blueprint, replace(found.scale, width=0.5)


@pytest.mark.parametrize("way", ["residual", "plain"])
def test_a_trained_network_is_scored_whole_and_without_each_block(lesion: Any, way: str) -> None:
    threads = torch.get_num_threads()
    found = lesion.lesions(task(lesion, FIXED, way))
    torch.set_num_threads(threads)
    assert list(found) == ["", "stage_1", "stage_2.1", "stage_2.2", "stage_3.1", "stage_3.2"]
    assert all(0 <= accuracy <= 1 and math.isfinite(accuracy) for accuracy in found.values())
    assert len(set(found.values())) > 1
