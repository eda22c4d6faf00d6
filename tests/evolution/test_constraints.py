"""Constraints: the feasibility rule, and a surrogate that learns where they hold."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evonas.evaluation.constraints import excess, is_within
from evonas.evolution import Evolver, PygadEvolver
from evonas.evolution.read_history import Memory, ruled_fitness_of
from evonas.pareto import best_first
from evonas.settings import EvolverSettings, Limits
from evonas.space import SearchSpace
from evonas.space.load import load_space_file
from evonas.trial import Chromosome, Finished, History, Prefix

GENES = "values:\n" + "".join(f"  {gene}: {{choice: [s, m, l, xl, xxl]}}\n" for gene in "abcdef")


@pytest.fixture
def space(working_folder: Path) -> SearchSpace:
    file = working_folder / "sizes.yaml"
    file.write_text(GENES)
    return load_space_file(file)


def trial(number: int, fitness: tuple[float, ...] | None, excess: float | None) -> Finished:
    return Finished(number, (float(number),), fitness, excess)


@pytest.mark.parametrize(
    ("measures", "limits", "expected"),
    [
        ({"macs": 150.0}, {"macs": Limits(max=100)}, 0.5),
        ({"macs": 60.0}, {"macs": Limits(max=100)}, -0.4),
        ({"accuracy": 0.6}, {"accuracy": Limits(min=0.8)}, 0.25),
        (
            {"macs": 60.0, "accuracy": 0.6},
            {"macs": Limits(max=100), "accuracy": Limits(min=0.8)},
            0.25,
        ),
        ({"gain": -0.5}, {"gain": Limits(min=0)}, 0.5),
        ({"gain": -3.0}, {"gain": Limits(min=-2, max=8)}, 0.5),
        ({"macs": 60.0}, {"macs": Limits(max=100), "accuracy": Limits(min=0.8)}, -0.4),
        ({"other": 1.0}, {"macs": Limits(max=100)}, None),
        ({"macs": 60.0}, {}, None),
    ],
)
def test_excess_is_that_of_the_worst_constraint_known(
    measures: dict[str, float], limits: dict[str, Limits], expected: float | None
) -> None:
    assert excess(measures, limits) == (None if expected is None else pytest.approx(expected))


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_nothing_exceeds_exactly_if_all_is_within(value: float, limit: float) -> None:
    for limits in ({"it": Limits(max=limit)}, {"it": Limits(min=limit)}):
        found = excess({"it": value}, limits)
        assert found is not None
        assert (found <= 0) == is_within({"it": value}, limits)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)) | st.floats(1e-3, 1e3), min_size=2
    )
)
@example([(1.0, 1.0), 0.001, 0.001, 0.0010000000000000002])
def test_the_feasible_rank_first_and_the_rest_by_excess(
    outcomes: list[tuple[float, float] | float],
) -> None:
    trials = [
        trial(n, None, one) if isinstance(one, float) else trial(n, one, -0.1)
        for n, one in enumerate(outcomes)
    ]
    parents = Memory(20).recall(History(trials)).parents()
    order = best_first(ruled_fitness_of(parents)).tolist()
    ranked = [parents[index] for index in order]
    has_fitness = [one.fitness is not None for one in ranked]
    assert has_fitness == sorted(has_fitness, reverse=True)
    broken = [one.excess for one in ranked if one.fitness is None]
    assert None not in broken
    # Beside the worst of the feasible, a difference in the last bit is none.
    assert broken == pytest.approx(sorted(broken), rel=1e-9)  # type: ignore[type-var]


def test_parents_are_filled_up_with_those_that_break_least() -> None:
    trials = [trial(n, None, 9.0 - n) for n in range(8)]
    trials += [trial(8, (1.0,), -0.5), trial(9, None, None), trial(10, (2.0,), -0.1)]
    parents = Memory(4).recall(History(trials)).parents()
    assert [one.number for one in parents] == [10, 8, 7, 6]


def weight(chromosome: Chromosome) -> float:
    """How large the choices are, 0 to 24."""
    return float(sum(chromosome))


def worth(chromosome: Chromosome) -> tuple[float, ...]:
    """Large late choices are good."""
    return (float(np.dot(chromosome, [1, 1, 1, 2, 2, 3])),)


def searched(evolver: Evolver, trials: int, limit: float) -> list[Finished]:
    """Designs of at most this weight are feasible."""
    items: list[Finished] = []
    for number in range(trials):
        (proposal,) = evolver.propose(History(Prefix(items)), [number])
        beyond = weight(proposal.chromosome) / limit - 1
        fitness = worth(proposal.chromosome) if beyond <= 0 else None
        items.append(Finished(number, proposal.chromosome, fitness, beyond))
    return items


def kept(found: list[Finished]) -> int:
    return sum(one.fitness is not None for one in found)


def top(found: list[Finished]) -> float:
    return max(one.fitness for one in found if one.fitness)[0]


def pygad(space: SearchSpace, seed: int, **own: object) -> PygadEvolver:
    return PygadEvolver(EvolverSettings(**own), space, seed)  # type: ignore[arg-type]


class TestSearch:
    def test_it_finds_its_way_to_what_hardly_any_design_keeps(self, space: SearchSpace) -> None:
        rng = np.random.default_rng(0)
        drawn = [weight(space.sample(rng)) <= 3 for _ in range(2000)]
        assert np.mean(drawn) < 0.01
        counts = {
            has: [kept(searched(pygad(space, seed, surrogate=has), 80, 3)) for seed in range(3)]
            for has in (False, True)
        }
        assert min(counts[False]) >= 1
        assert np.mean(counts[True]) > 2 * np.mean(counts[False])

    def test_the_surrogate_finds_better_designs_within_the_constraint(
        self, space: SearchSpace
    ) -> None:
        best = {
            has: [top(searched(pygad(space, seed, surrogate=has), 80, 12)) for seed in range(3)]
            for has in (False, True)
        }
        assert np.mean(best[True]) > np.mean(best[False])
        assert max(best[True]) >= 27, "there is one of 28"

    @pytest.mark.parametrize("selection", ["nsga2", "tournament_nsga2", "nsga3", "rws", "rank"])
    def test_with_every_kind_of_selection_nothing_but_broken_constraints_is_no_obstacle(
        self, space: SearchSpace, selection: str
    ) -> None:
        evolver = pygad(space, 0, selection=selection)
        found = searched(evolver, 30, 1e-3)  # no design keeps it
        assert len({one.chromosome for one in found}) == 30
        assert np.mean([weight(one.chromosome) for one in found[20:]]) < np.mean(
            [weight(one.chromosome) for one in found[:12]]
        )

    def test_a_design_is_proposed_again_from_the_same_history(self, space: SearchSpace) -> None:
        found = searched(pygad(space, 0), 40, 8)
        again = pygad(space, 0).propose(History(Prefix(found)), [40])
        assert pygad(space, 0).propose(History(tuple(found)), [40]) == again
