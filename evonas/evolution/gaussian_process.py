"""A Gaussian process on distances: what a design is probably worth, and how sure that is.

Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), chapters 2 and 5. The
correlation of two designs is exp(-sum_g theta_g d_g), a product of one kernel for each column of
distances; d_g has to be conditionally negative definite, as squared distances are.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize

Array = NDArray[np.float64]

# Prior of log theta and log eta: normal around these means with this deviation, so that a few
# observations do not make a column all-important.
NOISE_MEAN = float(np.log(0.05))
DEVIATION = 1.2
THETA_BOUNDS = (-8.0, 3.0)
NOISE_BOUNDS = (float(np.log(1e-4)), float(np.log(2.0)))
ITERATIONS = 20


@dataclass(frozen=True)
class Hyperparameters:
    """Weights of the columns of distances, and noise variance over that of the signal."""

    theta: Array
    eta: float


def fit(distances: Array, values: Array) -> Hyperparameters:
    """The most probable hyperparameters (equation 5.8 with the priors above, by L-BFGS).

    Args:
        distances: (n, n, columns).
        values: (n,), standardised.
    """
    columns = distances.shape[2]
    start = np.append(np.full(columns, np.log(2 / columns)), NOISE_MEAN)
    found = minimize(
        _minus_log_posterior,
        start,
        args=(distances, values),
        jac=True,
        method="L-BFGS-B",
        bounds=[THETA_BOUNDS] * columns + [NOISE_BOUNDS],
        options={"maxiter": ITERATIONS},
    )
    return Hyperparameters(np.exp(found.x[:-1]), float(np.exp(found.x[-1])))


def _minus_log_posterior(point: Array, distances: Array, values: Array) -> tuple[float, Array]:
    """With its gradient; the mean and the scale of the process are integrated in at their best."""
    n, columns = len(values), distances.shape[2]
    theta, eta = np.exp(point[:-1]), float(np.exp(point[-1]))
    correlation = np.exp(-(distances @ theta))
    process = _factored(correlation, eta, values)
    log_determinant = 2 * np.log(np.diag(process.factor[0])).sum()
    prior_theta = (point[:-1] - np.log(2 / columns)) / DEVIATION
    prior_eta = (point[-1] - NOISE_MEAN) / DEVIATION
    value = 0.5 * (n * np.log(process.scale) + log_determinant)
    value += 0.5 * ((prior_theta**2).sum() + prior_eta**2)
    inverse = cho_solve(process.factor, np.eye(n))
    weights = 0.5 * (inverse - np.outer(process.alpha, process.alpha) / process.scale)
    gradient = np.empty_like(point)
    flat = (weights * correlation).reshape(-1) @ distances.reshape(-1, columns)
    gradient[:-1] = -theta * flat + prior_theta / DEVIATION
    gradient[-1] = eta * np.trace(weights) + prior_eta / DEVIATION
    return float(value), gradient


@dataclass(frozen=True)
class _Factored:
    factor: Any  # Cholesky factor of correlation + eta * identity
    mean: float
    alpha: Array
    scale: float


def _factored(correlation: Array, eta: float, values: Array) -> _Factored:
    n = len(values)
    factor = cho_factor(correlation + eta * np.eye(n), lower=True)
    ones = cho_solve(factor, np.ones(n))
    mean = float(values @ ones / ones.sum())
    alpha = cho_solve(factor, values - mean)
    return _Factored(factor, mean, alpha, max(float((values - mean) @ alpha) / n, 1e-12))


class Process:
    """The process after it has seen designs.

    Args:
        correlation: Between them, exp(-theta d), (n, n).
        eta: Noise variance over that of the signal.
        values: Of the designs, (n,).
    """

    def __init__(self, correlation: Array, eta: float, values: Array) -> None:
        self.values = values
        self._seen = _factored(correlation, eta, values)

    def mean(self, correlation: Array) -> Array:
        """Posterior mean of other designs; `correlation` with those seen, (m, n)."""
        return self._seen.mean + correlation @ self._seen.alpha

    def predict(self, correlation: Array) -> tuple[Array, Array]:
        """Posterior mean and deviation of other designs."""
        explained = solve_triangular(self._seen.factor[0], correlation.T, lower=True)
        left = np.maximum(1 - (explained**2).sum(0), 1e-10)
        return self.mean(correlation), np.sqrt(self._seen.scale * left)

    def left_out(self) -> Array:
        """What each seen design would have been predicted without itself (equation 5.12)."""
        inverse = cho_solve(self._seen.factor, np.eye(len(self.values)))
        predicted: Array = self.values - self._seen.alpha / np.diag(inverse)
        return predicted
