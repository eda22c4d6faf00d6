"""Steps in a row, over steps that do next to nothing: their order, their plans, their sizes."""

from collections.abc import Mapping

import pytest
from conftest import a_network, a_stage
from torch import nn

from evonas.blueprint import Blueprint, scaled_network
from evonas.compression import compress
from evonas.compression.step import Section, Step
from evonas.errors import BuildError
from evonas.models import Network, count
from evonas.networks import Scale
from evonas.networks import planned as plan_of
from evonas.networks.plan import Plan
from evonas.settings import CompressionSettings

SECTION = scaled_network(Blueprint(a_network(a_stage(layers=3))), Scale("proxy", 16))


class Shorter(Step):
    """Takes a layer away, as pruning; of a network that has one to spare."""

    def is_on(self, settings: CompressionSettings) -> bool:
        return settings.pruning.method == "depth"

    def planned(self, section: Section, settings: CompressionSettings) -> Section:
        stage = section["stages"][0]
        if stage["layers"] == 1:
            raise BuildError("there is one block alone")
        return {**section, "stages": [{**stage, "layers": stage["layers"] - 1}]}


class Bytes(Step):
    """A byte for a weight."""

    def is_on(self, settings: CompressionSettings) -> bool:
        return settings.quantisation.method == "weights"

    def fault(self, settings: CompressionSettings) -> str | None:
        return "too small" if settings.quantisation.group == 1 else None

    def stored_bytes(self, plan: Plan, settings: CompressionSettings) -> int | None:
        return count(plan).parameters


class Noise(Step):
    """Acts in the training alone."""

    acts_in_training = True

    def is_on(self, settings: CompressionSettings) -> bool:
        return settings.quant_noise.method != "none"


@pytest.fixture(autouse=True)
def steps(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Step]:
    table = {"quant_noise": Noise(), "pruning": Shorter(), "quantisation": Bytes()}
    monkeypatch.setattr(compress, "STEPS", table)
    return table


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
    one = compress.planned(compress.planned(SECTION, PRUNED), PRUNED)
    with pytest.raises(BuildError, match="one block alone"):
        compress.planned(one, PRUNED)
    with pytest.raises(BuildError, match="too small"):
        compress.planned(SECTION, asked(quantisation={"method": "weights", "group": 1}))


def test_a_training_is_another_one_only_by_what_acts_in_it() -> None:
    noisy = asked(quant_noise={"method": "int8"}, pruning={"method": "depth"})
    assert compress.changes_training(BOTH) == {}
    assert compress.changes_training(noisy) == {
        "quant_noise": {"method": "int8", "share": 0.5, "block": 8}
    }
    assert compress.made_after(noisy) == ["pruning"]


def test_what_acts_in_the_training_makes_nothing_of_the_network_afterwards() -> None:
    assert compress.made_after(asked(quant_noise={"method": "pq"})) == []
    assert isinstance(compress.deployable(SECTION, asked()), nn.Module)
