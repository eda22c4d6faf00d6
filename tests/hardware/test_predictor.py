import hashlib

import numpy as np
import pytest

from evonas.blueprint import plan_network
from evonas.hardware.predictor import LatencyPredictor, work_of
from evonas.networks.plan import Plan
from evonas.space import load_space


@pytest.fixture(scope="module")
def plans() -> list[Plan]:
    space, rng = load_space("nano"), np.random.default_rng(0)
    return [plan_network(space.decode(space.sample(rng)), space.scales["full"]) for _ in range(60)]


@pytest.fixture(scope="module")
def ms(plans: list[Plan]) -> np.ndarray:
    """Of a machine where each operation takes its own time, whatever the work; 1 % of noise."""
    noise = np.random.default_rng(1).normal(1, 0.01, len(plans))
    return (
        np.array([sum(n * price(o) for o, n in work_of(p).operations.items()) for p in plans])
        * noise
    )


def price(operation: str) -> float:
    """Between 2 and 12 microseconds, at random but always the same."""
    return 0.002 + 0.01 * int(hashlib.sha256(operation.encode()).hexdigest()[:8], 16) / 2**32


def errors(plans: list[Plan], ms: np.ndarray, learnt: int) -> tuple[np.ndarray, np.ndarray]:
    """Relative errors of what was not learnt from, and what the predictor says of them."""
    predictor = LatencyPredictor.learn(plans[:learnt], ms[:learnt])
    told = np.array([predictor.predict(plan) for plan in plans[40:]])
    return told[:, 0] / ms[40:] - 1, told[:, 1]


def test_more_measurements_foretell_better(plans: list[Plan], ms: np.ndarray) -> None:
    few, many = (np.abs(errors(plans, ms, learnt)[0]).mean() for learnt in (6, 40))
    assert many < 0.05
    assert many < few


def test_it_knows_how_wrong_it_is(plans: list[Plan], ms: np.ndarray) -> None:
    wrong, said = errors(plans, ms, 40)
    assert 0.4 < np.sqrt(np.mean((wrong / said) ** 2)) < 2


def test_it_is_surer_of_what_it_was_told(plans: list[Plan], ms: np.ndarray) -> None:
    predictor = LatencyPredictor.learn(plans[:20], ms[:20])
    told, new = (
        np.mean([predictor.predict(p)[1] for p in some]) for some in (plans[:20], plans[40:])
    )
    assert told < new


def test_twice_the_time_is_twice_the_prediction(plans: list[Plan], ms: np.ndarray) -> None:
    one, two = (LatencyPredictor.learn(plans[:20], factor * ms[:20]) for factor in (1, 2))
    assert two.predict(plans[50])[0] == pytest.approx(2 * one.predict(plans[50])[0])
    assert two.predict(plans[50])[1] == pytest.approx(one.predict(plans[50])[1])


@pytest.mark.parametrize("wrong", [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 0.0]])
def test_too_few_or_impossible_latencies_are_refused(plans: list[Plan], wrong: list[float]) -> None:
    with pytest.raises(ValueError, match=r"give 4 or more|above 0"):
        LatencyPredictor.learn(plans[: len(wrong)], wrong)
