"""A plan as data: equal if written alike, hashable, JSON, and a graph in an order that can run."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from evonas.blueprint import plan_network
from evonas.models import activations, norms
from evonas.models.cell import COMBINES as COMBINED
from evonas.models.initialise import INITIALISATIONS as INITIALISED
from evonas.models.modules import MODULES
from evonas.networks import names
from evonas.networks.cells.graph import COMBINES
from evonas.networks.cells.operations import OPERATIONS
from evonas.networks.chain.plan import JOINS
from evonas.networks.plan import IMAGES, Layer, Part, Plan, in_a_row
from evonas.networks.stages.blocks import BLOCKS
from evonas.presets import presets
from evonas.space import known_spaces, load_space


def conv(channels: int = 8, **more: Any) -> Layer:
    shape = {"in_channels": 8, "out_channels": channels, "kernel": 3}
    return Layer("ConvNormActivation", {**shape, **more})


def plan(*parts: Part, outputs: tuple[str, ...] = ("a",)) -> Plan:
    return Plan(parts, (8, 16, 16), outputs)


def test_what_is_written_alike_is_equal_and_has_one_hash() -> None:
    nested = Layer("Row", {"layers": [conv(), conv(4)]})
    again = Layer("Row", {"layers": [conv(), conv(4)]})
    assert nested == again
    assert len({nested, again, Layer("Row", {"layers": [conv(4), conv()]})}) == 2
    assert conv(stride=1) != conv(stride=1.0), "numbers of two kinds are written differently"
    assert conv() != "a layer"
    first, second = (plan(Part("a", (conv(),))) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert replace(first, bits=8) != first


@pytest.mark.parametrize("name", known_spaces())
def test_plans_of_spaces_are_the_same_behind_json(name: str) -> None:
    space, rng = load_space(name), np.random.default_rng(0)
    scale = replace(space.scales["proxy"], input_channels=3, classes=5)
    for _ in range(5):
        made = plan_network(space.decode(space.sample(rng)), scale)
        assert Plan.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_plans_of_published_networks_are_the_same_behind_json() -> None:
    for name, found in presets().items():
        made = plan_network(found.blueprint, found.scale)
        assert Plan.from_dict(json.loads(json.dumps(made.to_dict()))) == made, name


def test_parts_in_a_row_read_each_other_and_the_first_one_the_images() -> None:
    parts = in_a_row([("a", (conv(),)), ("b", (conv(),)), ("c", (conv(),))])
    assert [part.reads for part in parts] == [(IMAGES,), ("a",), ("b",)]


@pytest.mark.parametrize(
    ("parts", "outputs"),
    [
        ((Part("a", (conv(),), ("b",)), Part("b", (conv(),))), ("a",)),  # later
        ((Part("a", (conv(),), ("a",)),), ("a",)),  # itself
        ((Part("a", (conv(),)), Part("a", (conv(),))), ("a",)),  # one name twice
        ((Part(IMAGES, (conv(),)),), (IMAGES,)),
        ((Part("a", (conv(),), ()),), ("a",)),
        ((Part("a", (conv(),)),), ("b",)),
        ((Part("a", (conv(),)),), ()),
    ],
)
def test_a_plan_that_cannot_run_is_none(parts: tuple[Part, ...], outputs: tuple[str, ...]) -> None:
    with pytest.raises(AssertionError):
        plan(*parts, outputs=outputs)


def test_names_without_torch_are_those_of_the_tables_with_it() -> None:
    assert tuple(activations.ACTIVATIONS) == names.ACTIVATIONS
    assert tuple(norms.NORMS) == names.NORMS
    assert tuple(INITIALISED) == names.INITIALISATIONS
    assert tuple(COMBINED) == COMBINES


def test_what_grammars_name_is_a_module() -> None:
    named = [block.module for block in BLOCKS.values()]
    named += [operation.module for operation in OPERATIONS.values()]
    assert set(named) | set(JOINS.values()) <= MODULES.keys()
