"""Dense, dual path and shuffled layers: what they keep, add and mix."""

from typing import Any

import pytest
import torch
from conftest import a_network
from torch import nn

from evonas.blueprint import Blueprint, plan_network
from evonas.models import initialise
from evonas.models.blocks.dense import Dense, Transition
from evonas.models.blocks.dual_path import DualPath
from evonas.models.blocks.shuffle import Shuffle
from evonas.models.layers import ChannelShuffle
from evonas.models.network import build_layer
from evonas.networks import Scale
from evonas.networks.plan import Plan


def images(channels: int = 8, side: int = 7) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, channels, side, side, generator=generator)


def ready(made: nn.Module) -> nn.Module:
    initialise(made, seed=0)
    return made.eval()


def test_a_dense_layer_keeps_its_input_and_adds_to_it() -> None:
    made = ready(Dense(8, 12, 3, 1, "relu", growth=4, inner=16))
    given = images()
    out = made(given)
    assert torch.equal(out[:, :8], given)
    assert out[:, 8:].any()


@pytest.mark.parametrize(("stride", "kept"), [(1, 4), (2, 4), (2, 8)])
def test_a_transition_narrows_and_averages(stride: int, kept: int) -> None:
    made = Dense(8, kept + 4, 3, stride, "relu", growth=4, inner=0)
    ready(made)
    assert isinstance(made.transition, Transition)
    given = images()
    out = made(given)
    small = -(-7 // stride)
    assert out.shape == (2, kept + 4, small, small)
    narrowed = made.transition[0](given)
    if stride == 2:
        torch.testing.assert_close(out[:, :kept, 0, 0], narrowed[:, :, :2, :2].mean((2, 3)))
        # What is left over at the border is a mean of fewer pixels.
        torch.testing.assert_close(out[:, :kept, -1, -1], narrowed[:, :, -1, -1])
    else:
        torch.testing.assert_close(out[:, :kept], narrowed)


def test_dropout_acts_on_new_maps_only() -> None:
    made = Dense(8, 16, 3, 1, "elu", growth=8, inner=0, dropout=0.5).train()
    initialise(made, seed=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        out = made(images())
    assert torch.equal(out[:, :8], images())
    assert 0.4 < (out[:, 8:] == 0).float().mean() < 0.6


def test_a_dual_path_block_adds_and_concatenates() -> None:
    how: dict[str, Any] = {"residual": 6, "growth": 2, "inner": 4, "groups": 2}
    first, second = (
        DualPath(8, 12, 3, 1, "relu", **how),
        DualPath(12, 14, 3, 1, "relu", **how),
    )
    ready(first), ready(second)
    given = images()
    old, new = first.projection(given), first.layers(given)
    assert (old.shape[1], new.shape[1]) == (10, 8)
    out = first(given)
    torch.testing.assert_close(out[:, :6], old[:, :6] + new[:, :6])
    assert torch.equal(out[:, 6:10], old[:, 6:])
    assert torch.equal(out[:, 10:], new[:, 6:])
    last, added = second(out), second.layers(out)
    torch.testing.assert_close(last[:, :6], out[:, :6] + added[:, :6])
    assert torch.equal(last[:, 6:12], out[:, 6:])
    assert torch.equal(last[:, 12:], added[:, 6:])


def test_channels_of_both_halves_alternate() -> None:
    shuffle = ChannelShuffle(2)
    maps = torch.arange(8.0).view(1, 8, 1, 1).expand(1, 8, 2, 2)
    assert shuffle(maps)[0, :, 0, 0].tolist() == [0, 4, 1, 5, 2, 6, 3, 7]
    last = maps.contiguous(memory_format=torch.channels_last)
    assert torch.equal(shuffle(last), shuffle(maps))


def test_a_unit_passes_half_of_the_channels_on_where_shapes_stay() -> None:
    made = ready(Shuffle(8, 8, 3, 1, "relu"))
    given = images()
    out = made(given)
    assert torch.equal(out[:, ::2], given[:, :4])
    torch.testing.assert_close(out[:, 1::2], made.get_submodule("long")(given[:, 4:]))


@pytest.mark.parametrize(("channels", "stride"), [(8, 2), (12, 1), (9, 1)])
def test_a_unit_that_changes_shapes_reads_all_channels_twice(channels: int, stride: int) -> None:
    made = ready(Shuffle(8, channels, 3, stride, "relu"))
    given = images()
    short, long = (made.get_submodule(name)(given) for name in ("short", "long"))
    assert made(given).shape == (2, channels, -(-7 // stride), -(-7 // stride))
    both = torch.cat([short, long], 1)
    assert torch.equal(made(given), both if channels % 2 else ChannelShuffle(2)(both))


def plan_of(stages: list[dict[str, Any]], stem: Any, **more: Any) -> Plan:
    network = a_network(*stages, stem=stem, head={"channels": 0}, **more)
    return plan_network(Blueprint(network), Scale("full", 224, classes=1000))


def test_a_compression_of_all_channels_is_a_transition_only_with_a_stride() -> None:
    stem = {"channels": 16, "kernel": 3, "stride": 2}
    stage = {"operation": "dense", "growth": 8, "mid_growths": 0, "kernel": 3, "layers": 2}
    plan = plan_of([{**stage, "stride": 1}, {**stage, "stride": 2}], stem)
    kinds = [
        [isinstance(build_layer(layer).transition, Transition) for layer in part.layers]
        for part in plan.parts
        if part.name.startswith("stage")
    ]
    assert kinds == [[False, False], [True, False]]
