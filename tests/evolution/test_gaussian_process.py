"""The Gaussian process against finite differences, plain algebra and the spaces' distances."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad

from evonas.evolution import gaussian_process
from evonas.evolution.features import Features
from evonas.evolution.gaussian_process import Array, Process, fit
from evonas.space import SearchSpace, known_spaces, load_space
from evonas.space.load import load_space_file
from evonas.trial import Chromosome

seeds = st.integers(0, 2**32 - 1)


def squared(points: Array, others: Array) -> Array:
    """Squared distances, a column for each coordinate."""
    return np.asarray((points[:, None] - others[None, :]) ** 2)


def correlations(distances: Array, theta: Array) -> Array:
    return np.exp(-(distances @ theta))


def toy(seed: int, count: int = 15, columns: int = 3) -> tuple[Array, Array]:
    """Points and standardised values of a smooth function that ignores the last coordinate."""
    rng = np.random.default_rng(seed)
    points = rng.random((count, columns))
    values = np.sin(4 * points[:, 0]) - (points[:, 1] - 0.4) ** 2
    return points, (values - values.mean()) / values.std()


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_the_gradient_is_that_of_finite_differences(seed: int) -> None:
    points, values = toy(seed)
    distances = squared(points, points)
    low, high = gaussian_process.THETA_BOUNDS[0] / 4, gaussian_process.THETA_BOUNDS[1]
    rng = np.random.default_rng(seed)
    point = np.append(rng.uniform(low, high, 3), rng.uniform(np.log(0.01), np.log(2)))

    def value(at: Array) -> float:
        return gaussian_process._minus_log_posterior(at, distances, values)[0]

    def gradient(at: Array) -> Array:
        return gaussian_process._minus_log_posterior(at, distances, values)[1]

    assert check_grad(value, gradient, point) < 1e-4 * max(1, np.linalg.norm(gradient(point)))


@settings(max_examples=15, deadline=None)
@given(seeds, st.floats(-5, 5), st.floats(0.1, 10))
def test_without_noise_predictions_pass_through_what_was_seen(
    seed: int, shift: float, scale: float
) -> None:
    points, values = toy(seed, 8)
    values = shift + scale * values
    distances = squared(points, points)
    process = Process(correlations(distances, np.full(3, 20.0)), 1e-10, values)
    mean, deviation = process.predict(correlations(distances, np.full(3, 20.0)))
    np.testing.assert_allclose(mean, values, atol=1e-4 * scale)
    assert (deviation < 1e-2 * scale).all()


def test_far_from_what_was_seen_the_prediction_is_the_mean_and_least_sure() -> None:
    points, values = toy(0)
    distances = squared(points, points)
    process = Process(correlations(distances, np.full(3, 20.0)), 0.01, values)
    theta = np.full(3, 20.0)
    mean, deviation = process.predict(correlations(squared(np.full((1, 3), 50.0), points), theta))
    _, near = process.predict(correlations(distances, theta))
    assert abs(mean[0]) < 1
    assert deviation[0] > near.max()


@settings(max_examples=10, deadline=None)
@given(seeds, st.floats(1e-3, 1))
def test_left_out_predictions_are_those_of_a_process_that_has_not_seen_the_design(
    seed: int, eta: float
) -> None:
    points, values = toy(seed, 10)
    without_noise = correlations(squared(points, points), np.array([3.0, 1.0, 0.1]))
    process = Process(without_noise, eta, values)
    correlation = without_noise + eta * np.eye(len(values))
    for index, predicted in enumerate(process.left_out()):
        rest = np.arange(len(values)) != index
        # The mean is that of all: equation 5.12 leaves a design out of the process alone.
        others = values[rest] - process._seen.mean
        weights = np.linalg.solve(correlation[rest][:, rest], others)
        expected = process._seen.mean + correlation[index, rest] @ weights
        assert predicted == pytest.approx(expected, abs=1e-8)


def test_a_column_that_says_nothing_weighs_least() -> None:
    points, values = toy(2, 40)
    found = fit(squared(points, points), values)
    assert found.theta.argmin() == 2
    assert found.eta < 0.05


def test_values_that_are_noise_are_taken_for_noise() -> None:
    points, values = toy(3, 40)
    distances = squared(points, points)
    noise = np.random.default_rng(3).standard_normal(40)
    assert fit(distances, noise).eta > 10 * fit(distances, values).eta


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0])
def test_constant_values_are_predicted_everywhere(value: float) -> None:
    points, _ = toy(4)
    distances = squared(points, points)
    values = np.full(len(points), value)
    found = fit(distances, values)
    process = Process(correlations(distances, found.theta), found.eta, values)
    mean, deviation = process.predict(correlations(squared(points + 0.1, points), found.theta))
    np.testing.assert_allclose(mean, value, atol=1e-9)
    assert np.isfinite(deviation).all()
    assert (deviation > 0).all()


def test_the_same_design_twice_is_no_obstacle() -> None:
    points, values = toy(5)
    twice, again = np.vstack([points, points]), np.append(values, values + 0.1)
    distances = squared(twice, twice)
    found = fit(distances, again)
    correlation = correlations(distances, found.theta)
    assert np.isfinite(Process(correlation, found.eta, again).predict(correlation)).all()


def distances_of(space: SearchSpace, designs: Sequence[Chromosome]) -> Array:
    features = Features(space)
    vectors = features.vectors(designs)
    return features.distances(vectors, vectors)


def least_eigenvalue(distances: Array, rng: np.random.Generator, draws: int = 12) -> float:
    """Of the correlations under random weights, of all columns or of one."""
    columns = distances.shape[2]
    low, high = gaussian_process.THETA_BOUNDS
    least = np.inf
    for draw in range(draws):
        theta = np.exp(rng.uniform(low, high, columns))
        if draw % 2:
            theta *= np.arange(columns) == rng.integers(columns)
        least = min(least, float(np.linalg.eigvalsh(np.exp(-(distances @ theta)))[0]))
    return least


def random_distances(space_name: str) -> tuple[Array, np.random.Generator]:
    space = load_space(space_name)
    rng = np.random.default_rng(0)
    designs = [space.canonical(space.sample(rng)) for _ in range(30)]
    return distances_of(space, designs), rng


@pytest.mark.parametrize("name", known_spaces())
def test_correlations_of_shipped_spaces_are_positive_semi_definite(name: str) -> None:
    assert least_eigenvalue(*random_distances(name)) > -1e-9


def test_correlations_of_an_ordered_gene_with_a_condition_are_positive_semi_definite(
    working_folder: Path,
) -> None:
    file = working_folder / "conditional.yaml"
    file.write_text("values:\n  kind: {choice: [a, b]}\n  rate: {float: [0, 1], when: {kind: b}}\n")
    space = load_space_file(file)
    rng = np.random.default_rng(0)
    designs = [space.canonical(space.sample(rng)) for _ in range(30)]
    distances = distances_of(space, designs)
    for theta in (1e-3, 0.1, 1.0):
        assert np.linalg.eigvalsh(np.exp(-theta * distances[:, :, 1]))[0] > -1e-9
