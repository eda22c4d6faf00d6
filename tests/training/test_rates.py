import pytest

from evonas.settings import TrainingSettings
from evonas.training.rates import USUAL_RATE, peak_rate


def test_a_rate_that_is_given_counts_whatever_the_optimiser() -> None:
    assert peak_rate(TrainingSettings(lr0=0.003, optimizer="adam")) == 0.003
    assert peak_rate(TrainingSettings(lr0=0.003, lr_factor=2)) == 0.006


@pytest.mark.parametrize(("name", "rate"), USUAL_RATE.items())
def test_else_it_is_a_multiple_of_the_usual_one(name: str, rate: float) -> None:
    recipe = {"lr0": None, "optimizer": name}
    assert peak_rate(TrainingSettings(**recipe)) == rate
    assert peak_rate(TrainingSettings(**recipe, lr_factor=0.5)) == rate / 2
