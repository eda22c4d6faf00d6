"""What a design is worth trying: expected improvement, of one objective or of the front."""

import numpy as np
from scipy.special import ndtr

from evonas import pareto
from evonas.evolution.gaussian_process import Array

TAIL = -25.0  # below, the normal distribution is replaced by its asymptotic series


def log_expected_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """Logarithm of E[max(0, f - best)] of normal f (Jones et al. 1998, equation 15).

    Far below the best the leading term of its series is taken (LogEI, arXiv 2310.20708,
    equation 9), so that designs stay comparable there.
    """
    u = (mean - best) / deviation
    log_h = np.empty_like(u)
    near = u > TAIL
    density = np.exp(-0.5 * u[near] ** 2) / np.sqrt(2 * np.pi)
    log_h[near] = np.log(density + u[near] * ndtr(u[near]))
    far = u[~near]
    log_h[~near] = -0.5 * far**2 - 0.5 * np.log(2 * np.pi) - 2 * np.log(-far)
    result: Array = log_h + np.log(deviation)
    return result


def expected_hypervolume_improvement(
    samples: Array, front: pareto.Fitness, reference: Array
) -> Array:
    """Mean growth of the hypervolume by each design, (designs,).

    Emmerich et al. 2006, definition 3, by Monte Carlo.

    Args:
        samples: Of the designs' posteriors, (samples, designs, objectives).
        front: Non-dominated values so far, (members, objectives).
    """
    if samples.shape[2] == 2:
        return np.asarray(_growth_of_two(samples, front, reference).mean(0))
    before = pareto.hypervolume(front, reference)
    grown = [
        [pareto.hypervolume(np.vstack([front, point]), reference) - before for point in draw]
        for draw in samples
    ]
    return np.asarray(np.mean(grown, axis=0))


def _growth_of_two(samples: Array, front: pareto.Fitness, reference: Array) -> Array:
    """The area that each sample adds to a front of two objectives, (samples, designs).

    The front is a staircase: between two steps the sample adds the height by which it is above
    the lower of them.
    """
    above = front[(front > reference).all(1)]
    steps = above[np.argsort(above[:, 0])]
    left = np.concatenate([[reference[0]], steps[:, 0]])
    right = np.append(steps[:, 0], np.inf)
    height = np.append(steps[:, 1], reference[1])
    x, y = samples[..., 0, None], samples[..., 1, None]
    width = np.clip(np.minimum(x, right) - left, 0, None)
    area: Array = (width * np.clip(y - height, 0, None)).sum(-1)
    return area
