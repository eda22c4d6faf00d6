import pytest
from conftest import a_network

from evonas.blueprint import Blueprint, plan_network
from evonas.compression import STEPS
from evonas.compression.quantisation import METHODS
from evonas.models import count
from evonas.networks import Scale
from evonas.settings import CompressionSettings
from evonas.settings.compression import QuantisationSettings

PLAN = plan_network(Blueprint(a_network()), Scale("proxy", 16))


def test_each_method_is_one_of_the_settings() -> None:
    assert METHODS.keys() <= QuantisationSettings.takes.keys()


@pytest.mark.parametrize("method", METHODS)
def test_each_method_makes_the_weights_smaller(method: str) -> None:
    settings = CompressionSettings.model_validate({"quantisation": {"method": method}})
    step = STEPS["quantisation"]
    assert step.is_on(settings)
    assert not step.is_on(CompressionSettings())
    stored = step.stored_bytes(PLAN, settings)
    assert stored is not None
    assert stored < 4 * count(PLAN).parameters / 2
