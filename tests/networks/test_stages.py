from typing import Any

import numpy as np
import pytest

from evonas.errors import UnknownName
from evonas.models.stages import plan_stages
from evonas.space import load_space
from evonas.space.canonical import can_skip, canonical_network


def network(**stage: Any) -> dict[str, Any]:
    """One stage behind a stem of 16 channels, with a skip unless told otherwise."""
    default = {
        "operation": "conv",
        "kernel": 3,
        "se_ratio": 0,
        "skip": "identity",
        "channels": 16,
        "layers": 1,
        "stride": 1,
    }
    return {
        "builder": "stages",
        "activation": "relu",
        "stem": {"channels": 16, "kernel": 3, "stride": 2},
        "stages": [{**default, **stage}],
        "head": {"channels": 64},
    }


@pytest.mark.parametrize(
    ("stage", "skip"),
    [
        ({}, "identity"),
        ({"channels": 24}, "none"),
        ({"stride": 2}, "none"),
        ({"channels": 24, "layers": 2}, "identity"),
        ({"stride": 2, "layers": 2}, "identity"),
        ({"skip": "none"}, "none"),
    ],
)
def test_a_stage_keeps_its_skip_only_where_a_layer_can_skip(
    stage: dict[str, Any], skip: str
) -> None:
    folded, repairs = canonical_network(network(**stage))
    assert folded["stages"][0]["skip"] == skip
    assert bool(repairs) == (skip != network(**stage)["stages"][0]["skip"])


def test_a_repair_names_the_place_and_the_reason() -> None:
    _, repairs = canonical_network(network(channels=24))
    assert repairs == ("stages.0.skip: no layer of the stage can skip, so it has none",)


def test_later_stages_are_held_against_the_stage_before_them() -> None:
    two = network(channels=24)
    two["stages"].append({**two["stages"][0]})
    folded, _ = canonical_network(two)
    assert [stage["skip"] for stage in folded["stages"]] == ["none", "identity"]


def test_folding_changes_nothing_the_second_time_and_never_its_argument() -> None:
    given = network(stride=2)
    folded, _ = canonical_network(given)
    assert canonical_network(folded) == (folded, ())
    assert given == network(stride=2)


@pytest.mark.parametrize("seed", range(10))
def test_folding_keeps_every_layer_of_the_network(seed: int) -> None:
    space = load_space("nano")
    values = space.decode(space.sample(np.random.default_rng(seed))).network
    greedy = {**values, "stages": [{**s, "skip": "identity"} for s in values["stages"]]}
    folded, _ = canonical_network(greedy)
    size = {"input": [3, 32, 32], "classes": 10}
    assert plan_stages({**folded, **size}) == plan_stages({**greedy, **size})


def test_an_unknown_builder_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=r'no builder called "stags". Did you mean "stages"\?'):
        canonical_network({"builder": "stags"})


def test_only_equal_shapes_can_be_added() -> None:
    assert can_skip(16, 16, 1)
    assert not can_skip(16, 24, 1)
    assert not can_skip(16, 16, 2)
