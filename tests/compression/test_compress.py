"""Steps in a row, over steps that do next to nothing: their order, their plans, their sizes."""

from collections.abc import Mapping

import pytest
from conftest import a_network, a_stage
from small_steps import SMALL_STEPS
from torch import nn

from evonas.blueprint import Blueprint, scaled_network
from evonas.compression import compress
from evonas.errors import BuildError
from evonas.models import Network, count
from evonas.networks import Scale
from evonas.networks import planned as plan_of
from evonas.settings import CompressionSettings

SECTION = scaled_network(Blueprint(a_network(a_stage(layers=3))), Scale("proxy", 16))


@pytest.fixture(autouse=True)
def steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress, "STEPS", SMALL_STEPS)


def asked(**steps: Mapping[str, object]) -> CompressionSettings:
    return CompressionSettings.model_validate(steps)


PRUNED = asked(pruning={"method": "depth"})
BOTH = asked(pruning={"method": "depth"}, quantisation={"method": "weights"})


def test_nothing_asked_for_leaves_the_section_and_its_size_as_they_are() -> None:
    assert compress.planned(SECTION, asked()) is SECTION
    plan = plan_of(SECTION)
    assert compress.stored_bytes(plan, asked()) == 4 * count(plan).parameters


def test_each_step_plans_on_what_the_one_before_made() -> None:
    found = compress.planned(SECTION, BOTH)
    assert found["stages"][0]["layers"] == 2
    plan = plan_of(found)
    assert compress.stored_bytes(plan, PRUNED) == 4 * count(plan).parameters
    assert compress.stored_bytes(plan, BOTH) == count(plan).parameters
    network = compress.deployable(SECTION, BOTH)
    assert isinstance(network, Network)
    assert network.plan == plan.as_deployed()


def test_a_step_that_does_not_fit_and_contradictions_are_told() -> None:
    one = compress.planned(SECTION, PRUNED)
    with pytest.raises(BuildError, match="no block to spare"):
        compress.planned(one, PRUNED)
    with pytest.raises(BuildError, match="Groups of one"):
        compress.planned(SECTION, asked(quantisation={"method": "weights", "group": 1}))


def test_a_training_is_another_one_only_by_what_acts_in_it() -> None:
    noisy = asked(quant_noise={"method": "int8"}, pruning={"method": "depth"})
    assert compress.changes_training(BOTH) == {}
    assert compress.changes_training(noisy) == {
        "quant_noise": {"method": "int8", "share": 0.5, "block": 4}
    }
    assert compress.made_after(noisy) == ["pruning"]


def test_what_acts_in_the_training_makes_nothing_of_the_network_afterwards() -> None:
    assert compress.made_after(asked(quant_noise={"method": "pq"})) == []
    assert isinstance(compress.deployable(SECTION, asked()), nn.Module)


def test_a_step_that_is_not_to_be_had_is_no_silent_copy() -> None:
    taught = asked(distillation={"method": "logits"})
    with pytest.raises(BuildError, match=r"compression.distillation.method=logits: there is no"):
        compress.planned(SECTION, taught)
