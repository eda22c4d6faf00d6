"""Dominance, fronts, hypervolume and knee: larger is better throughout."""

import numpy as np
from numpy.typing import NDArray

Fitness = NDArray[np.float64]  # (individuals, objectives)


def dominance(fitness: Fitness) -> NDArray[np.bool_]:
    """(n, n) matrix: True where the row's individual dominates the column's."""
    at_least = np.ones((len(fitness),) * 2, dtype=bool)
    better = np.zeros_like(at_least)
    for values in fitness.T:
        at_least &= values[:, None] >= values[None, :]
        better |= values[:, None] > values[None, :]
    return at_least & better


def ranks(fitness: Fitness) -> NDArray[np.int64]:
    """Front of each individual, 0 for those that nobody dominates (NSGA-II, section III-A)."""
    if fitness.shape[1] == 1:  # the same, and faster
        return np.unique(-fitness[:, 0], return_inverse=True)[1].astype(np.int64)
    dominates = dominance(fitness)
    dominators = dominates.sum(0)
    rank = np.full(len(fitness), -1, dtype=np.int64)
    front = 0
    while (rank < 0).any():
        members = (rank < 0) & (dominators == 0)
        rank[members] = front
        dominators = dominators - dominates[members].sum(0)
        front += 1
    return rank


def crowding(fitness: Fitness) -> NDArray[np.float64]:
    """Crowding distance within one front; infinite at its ends (NSGA-II, section III-B)."""
    distance = np.zeros(len(fitness))
    for values in fitness.T:
        order = np.argsort(values, kind="stable")
        span = values[order[-1]] - values[order[0]]
        distance[order[[0, -1]]] = np.inf
        if span > 0:
            distance[order[1:-1]] += (values[order[2:]] - values[order[:-2]]) / span
    return distance


def best_first(fitness: Fitness) -> NDArray[np.int64]:
    """Indices by rank, then by crowding distance, then by position."""
    if fitness.shape[1] == 1:  # the same but for the order of equals, and faster
        return np.argsort(-fitness[:, 0], kind="stable")
    rank = ranks(fitness)
    distance = np.zeros(len(fitness))
    for front in range(rank.max() + 1 if len(rank) else 0):
        members = rank == front
        distance[members] = crowding(fitness[members])
    return np.lexsort((-distance, rank))


def front(fitness: Fitness) -> NDArray[np.int64]:
    """Indices of the non-dominated, of equal ones the first only, in ascending order."""
    if not len(fitness):
        return np.zeros(0, dtype=np.int64)
    _, firsts = np.unique(fitness, axis=0, return_index=True)
    firsts = np.sort(firsts)
    return np.asarray(firsts[~dominance(fitness[firsts]).any(0)], dtype=np.int64)


def hypervolume(fitness: Fitness, reference: NDArray[np.float64]) -> float:
    """Volume between the front and a reference point; points not above it add nothing.

    Exact, by slicing along the last objective: O(n log n) for two, O(n^(d-1) log n) for d.

    >>> hypervolume(np.array([[1.0, 3.0], [2.0, 1.0]]), np.zeros(2))
    4.0
    """
    above = fitness[(fitness > reference).all(1)]
    return front_hypervolume(above[front(above)], reference)


def front_hypervolume(members: Fitness, reference: NDArray[np.float64]) -> float:
    """See `hypervolume`; for individuals of which none dominates or equals another."""
    points = members[(members > reference).all(1)]
    if not len(points):
        return 0.0
    if members.shape[1] == 1:
        return float(points.max() - reference[0])
    points = points[np.argsort(-points[:, -1], kind="stable")]
    thickness = points[:, -1] - np.append(points[1:, -1], reference[-1])
    if members.shape[1] == 2:  # each slice reaches as far as the point at its top
        slices = thickness * (points[:, 0] - reference[0])
        return float(np.add.accumulate(slices)[-1])  # as a loop would add
    volume = 0.0
    for index in np.flatnonzero(thickness > 0):
        volume += thickness[index] * hypervolume(points[: index + 1, :-1], reference[:-1])
    return float(volume)


def balanced(fitness: Fitness) -> int:
    """Index of the front's member whose worst objective is least bad.

    Each objective is scaled to 0..1 over the front first; of equal members it is the first.

    >>> balanced(np.array([[1.0, 0.0], [0.8, 0.3], [0.5, 0.6], [0.0, 1.0]]))
    2
    """
    low, high = fitness.min(0), fitness.max(0)
    scaled = (fitness - low) / np.where(high > low, high - low, 1.0)
    return int(scaled.min(1).argmax())


def knee(fitness: Fitness) -> int:
    """Index of the front's member farthest above the line (plane) through the front's ends.

    Each objective is scaled to 0..1 over the front first. With fewer than three members, or if
    none lies above the line, it is the member nearest to the best of all objectives.
    """
    low, high = fitness.min(0), fitness.max(0)
    scaled = (fitness - low) / np.where(high > low, high - low, 1.0)
    # The ends span sum(scaled) = 1, so the distance to their plane is the sum, up to a factor.
    height = scaled.sum(1)
    if len(fitness) > 2 and height.max() > 1:
        return int(height.argmax())
    return int(np.linalg.norm(1 - scaled, axis=1).argmin())
