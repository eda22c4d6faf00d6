"""Expected improvement against Monte Carlo and against hypervolumes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas import pareto
from evonas.evolution import acquisition
from evonas.evolution.acquisition import (
    expected_hypervolume_improvement,
    log_expected_improvement,
)


@pytest.mark.parametrize("mean", [-1.5, -0.2, 0.0, 0.7, 3.0])
@pytest.mark.parametrize("deviation", [0.3, 1.0, 2.5])
def test_expected_improvement_is_the_mean_of_many_draws(mean: float, deviation: float) -> None:
    best = 0.4
    draws = mean + deviation * np.random.default_rng(0).standard_normal(100_000)
    gains = np.maximum(draws - best, 0)
    found = log_expected_improvement(np.array([mean]), np.array([deviation]), best)
    error = gains.std() / np.sqrt(len(gains))
    assert np.exp(found[0]) == pytest.approx(gains.mean(), abs=4 * error + 1e-6)


def test_a_larger_mean_is_worth_more_even_far_below_the_best() -> None:
    means = -np.concatenate([np.geomspace(1e6, 45.01, 200), np.arange(45, -5, -0.002)])
    found = log_expected_improvement(means, np.ones_like(means), 0.0)
    assert np.isfinite(found).all()
    assert (np.diff(found) > 0).all()


def test_the_series_takes_over_without_a_step() -> None:
    around = acquisition.TAIL + np.array([-1e-9, 1e-9])
    below, above = log_expected_improvement(around, np.ones(2), 0.0)
    assert below == pytest.approx(above, abs=0.01)


@pytest.mark.parametrize("mean", [-40.0, -4.0, -0.5])
def test_below_the_best_the_less_sure_is_worth_more(mean: float) -> None:
    deviations = np.geomspace(1e-3, 10, 60)
    found = log_expected_improvement(np.full(60, mean), deviations, 0.0)
    assert np.isfinite(found).all()
    assert (np.diff(found) > 0).all()


def test_of_a_sure_design_improvement_is_what_it_is_above_the_best() -> None:
    found = log_expected_improvement(np.array([3.0]), np.array([1e-6]), 1.0)
    assert np.exp(found[0]) == pytest.approx(2.0)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 3), st.integers(0, 6), st.integers(0, 2**32 - 1), st.booleans())
def test_growth_is_the_difference_of_hypervolumes(
    objectives: int, members: int, seed: int, are_coarse: bool
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.random((members, objectives))
    samples = rng.uniform(-0.2, 1.2, (3, 4, objectives))
    if are_coarse:  # ties with the front and with the reference
        values, samples = np.round(values * 4) / 4, np.round(samples * 4) / 4
    front = values[pareto.front(values)]
    reference = np.full(objectives, 0.25)
    before = pareto.hypervolume(front, reference)

    def growth(sample: np.ndarray) -> float:
        return pareto.hypervolume(np.vstack([values, sample]), reference) - before

    expected = [np.mean([growth(draw[design]) for draw in samples]) for design in range(4)]
    found = expected_hypervolume_improvement(samples, front, reference)
    np.testing.assert_allclose(found, expected, atol=1e-12)
