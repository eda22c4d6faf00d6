"""Dominance, fronts, hypervolume and knee, by hand-worked cases and by brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pygad import GA

from evonas import pareto
from evonas.evolution.operators import FastGA

small_matrices = arrays(
    float,
    st.tuples(st.integers(1, 12), st.integers(2, 3)),
    elements=st.integers(0, 5).map(float),
)


def dominates(first: np.ndarray, second: np.ndarray) -> bool:
    return bool((first >= second).all() and (first > second).any())


@given(small_matrices)
def test_the_front_is_what_nobody_dominates_each_point_once(fitness: np.ndarray) -> None:
    chosen = pareto.front(fitness)
    alone = [i for i, row in enumerate(fitness) if not any(dominates(o, row) for o in fitness)]
    assert {tuple(fitness[i]) for i in chosen} == {tuple(fitness[i]) for i in alone}
    assert len({tuple(fitness[i]) for i in chosen}) == len(chosen)


@given(small_matrices)
def test_each_rank_is_the_front_of_what_is_left(fitness: np.ndarray) -> None:
    rank = pareto.ranks(fitness)
    for level in range(rank.max() + 1):
        left = np.flatnonzero(rank >= level)
        first = [i for i in left if not any(dominates(fitness[j], fitness[i]) for j in left)]
        assert first == list(np.flatnonzero(rank == level))


@given(small_matrices)
def test_the_fast_sort_gives_pygads_fronts(fitness: np.ndarray) -> None:
    slow_fronts, slow_ranks = GA.non_dominated_sorting(None_like(), fitness)
    fast_fronts, fast_ranks = FastGA.non_dominated_sorting(None_like(), fitness)
    assert list(slow_ranks) == list(fast_ranks)
    for slow, fast in zip(slow_fronts, fast_fronts, strict=True):
        assert list(slow[:, 0]) == list(fast[:, 0])
        assert [list(row) for row in slow[:, 1]] == [list(row) for row in fast[:, 1]]


def None_like() -> GA:  # noqa: N802
    """A GA that was never set up: sorting uses nothing of it."""
    return GA.__new__(GA)


def test_hypervolume_of_hand_worked_cases() -> None:
    origin = np.zeros(2)
    assert pareto.hypervolume(np.array([[1.0, 3.0], [2.0, 1.0]]), origin) == 4
    assert pareto.hypervolume(np.array([[1.0, 3.0], [2.0, 1.0], [1.0, 1.0]]), origin) == 4
    assert pareto.hypervolume(np.array([[-1.0, 9.0]]), origin) == 0
    assert pareto.hypervolume(np.array([[2.0]]), np.array([0.5])) == 1.5
    cube = np.array([[2.0, 1.0, 1.0], [1.0, 2.0, 1.0], [1.0, 1.0, 2.0]])
    assert pareto.hypervolume(cube, np.zeros(3)) == 4
    assert pareto.hypervolume(np.zeros((0, 2)), origin) == 0


@given(small_matrices)
def test_hypervolume_counts_the_dominated_cells(fitness: np.ndarray) -> None:
    axes = [np.arange(5) + 0.5 for _ in range(fitness.shape[1])]
    cells = np.stack(np.meshgrid(*axes), -1).reshape(-1, fitness.shape[1])
    covered = (fitness[:, None] >= cells[None]).all(2).any(0).sum()
    assert pareto.hypervolume(fitness, np.zeros(fitness.shape[1])) == pytest.approx(covered)


def test_crowding_is_infinite_at_the_ends_and_larger_where_it_is_empty() -> None:
    distance = pareto.crowding(np.array([[0.0, 10.0], [1.0, 9.0], [2.0, 5.0], [10.0, 0.0]]))
    assert np.isinf(distance[[0, 3]]).all()
    assert distance[2] > distance[1]


def test_the_knee_bulges_most_above_the_line_through_the_ends() -> None:
    assert pareto.knee(np.array([[0.0, 10.0], [6.0, 9.0], [8.0, 3.0], [10.0, 0.0]])) == 1
    # Scaling an objective does not move it.
    assert pareto.knee(np.array([[0.0, 1e6], [6.0, 9e5], [8.0, 3e5], [10.0, 0.0]])) == 1
    assert pareto.knee(np.array([[3.0, 3.0]])) == 0
