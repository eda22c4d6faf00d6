"""Memory is a cache: what it holds follows from the history alone, and nothing is read twice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.evolution import PygadEvolver
from evonas.evolution.read_history import Memory
from evonas.pareto import best_first
from evonas.settings import EvolverSettings
from evonas.space import load_space
from evonas.trial import Finished, History, Prefix

small = st.integers(0, 3).map(float)


def fitnesses(objectives: int) -> st.SearchStrategy[list[tuple[float, ...] | None]]:
    return st.lists(st.none() | st.tuples(*[small] * objectives), max_size=25)


def finished(values: list[tuple[float, ...] | None], designs: int = 1000) -> list[Finished]:
    """Trials with these values; after so many designs, designs come again."""
    return [Finished(n, (float(n % designs),), value) for n, value in enumerate(values)]


def state(memory: Memory) -> tuple[object, ...]:
    return set(memory.taken), list(memory.usable), list(memory.population)


@settings(max_examples=50, deadline=None)
@given(fitnesses(2), st.lists(st.integers(0, 25)), st.integers(3, 12))
def test_growing_histories_leave_what_one_reading_leaves(
    values: list[tuple[float, ...] | None], steps: list[int], designs: int
) -> None:
    trials = finished(values, designs)
    items: list[Finished] = []
    memory = Memory(5)
    for length in sorted({*(min(step, len(trials)) for step in steps), len(trials)}):
        items.extend(trials[len(items) : length])
        memory.recall(History(Prefix(items)))
        assert state(memory) == state(Memory(5).recall(History(tuple(trials[:length]))))


@settings(max_examples=50, deadline=None)
@given(fitnesses(2) | fitnesses(1) | fitnesses(3))
def test_the_population_is_what_mu_plus_one_survival_leaves(
    values: list[tuple[float, ...] | None],
) -> None:
    trials = finished(values)
    expected: list[Finished] = []
    for trial in trials:
        if trial.fitness is not None:
            expected.insert(0, trial)  # of equals the newest lives
            order = best_first(np.array([one.fitness for one in expected]))
            expected = [one for i, one in enumerate(expected) if len(order) <= 5 or i != order[-1]]
    memory = Memory(5).recall(History(tuple(trials)))
    assert memory.population == expected
    assert memory.usable == [trial for trial in trials if trial.fitness is not None]
    assert memory.taken == {trial.chromosome for trial in trials}


def test_only_the_first_trial_of_a_design_is_used() -> None:
    trials = [Finished(0, (1.0,), None), Finished(1, (2.0,), (1.0,)), Finished(2, (2.0,), (9.0,))]
    memory = Memory(5).recall(History(tuple(trials)))
    assert [trial.number for trial in memory.usable] == [1]
    assert memory.taken == {(1.0,), (2.0,)}


def test_another_history_is_read_from_its_beginning() -> None:
    first, second = finished([(1.0,)] * 8), finished([(2.0,)] * 12)
    memory = Memory(5).recall(History(Prefix(first)))
    memory.recall(History(Prefix(second)))
    assert state(memory) == state(Memory(5).recall(History(tuple(second))))
    memory.recall(History(tuple(first)))
    assert state(memory) == state(Memory(5).recall(History(tuple(first))))


def test_an_equal_history_that_is_another_object_is_read_again() -> None:
    trials = finished([(1.0,), None, (3.0,)])
    memory = Memory(5).recall(History(Prefix(trials)))
    assert state(memory.recall(History(Prefix(list(trials))))) == state(
        Memory(5).recall(History(tuple(trials)))
    )


def test_an_earlier_prefix_is_read_from_its_beginning() -> None:
    trials = finished([(float(n),) for n in range(9)])
    memory = Memory(5).recall(History(Prefix(trials)))
    memory.recall(History(Prefix(trials, 4)))
    assert memory.taken == {trial.chromosome for trial in trials[:4]}
    assert state(memory.recall(History(Prefix(trials)))) == state(
        Memory(5).recall(History(tuple(trials)))
    )


class CountingPrefix(Prefix):
    """Counts the entries that are taken out of it."""

    __slots__ = ()
    taken = 0

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        found = super().__getitem__(index)
        type(self).taken += len(found) if isinstance(index, slice) else 1
        return found

    def __iter__(self):  # type: ignore[no-untyped-def]
        type(self).taken += self.length
        return super().__iter__()


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[CountingPrefix]:
    monkeypatch.setattr(CountingPrefix, "taken", 0)
    return CountingPrefix


@pytest.mark.parametrize("has_surrogate", [False, True])
def test_an_evolver_reads_each_finished_trial_once(
    counting: type[CountingPrefix], has_surrogate: bool
) -> None:
    space = load_space("nas_bench_201")
    settings = EvolverSettings(population=10, surrogate=has_surrogate, initial=8, pool=10)
    evolver = PygadEvolver(settings, space, 0)
    rng = np.random.default_rng(0)
    items: list[Finished] = []
    for number in range(12 if has_surrogate else 60):
        (proposal,) = evolver.propose(History(counting(items)), [number])
        fitness = (float(rng.random()), float(rng.random()))
        items.append(Finished(number, proposal.chromosome, fitness))
    evolver.propose(History(counting(items)), [len(items)])
    assert counting.taken == len(items)


def test_a_proposal_without_a_surrogate_costs_no_more_after_2000_designs_than_after_200(
    counting: type[CountingPrefix], monkeypatch: pytest.MonkeyPatch
) -> None:
    space = load_space("nas_bench_201")
    evolver = PygadEvolver(EvolverSettings(population=10, surrogate=False), space, 0)
    rng = np.random.default_rng(0)
    designs = list(dict.fromkeys(tuple(space.sample(rng)) for _ in range(2400)))
    assert len(designs) > 2030
    items: list[Finished] = []
    sorted_ones: list[int] = []
    monkeypatch.setattr(
        "evonas.evolution.read_history.best_first",
        lambda fitness: sorted_ones.append(len(fitness)) or best_first(fitness),
    )
    costs = []
    for length in (200, 2000):
        for number in range(len(items), length):
            items.append(Finished(number, designs[number], (float(rng.random()),)))
        evolver.propose(History(counting(items)), [length])
        items.append(Finished(length, designs[-length // 100], (0.5,)))
        before = counting.taken, len(sorted_ones)
        evolver.propose(History(counting(items)), [length + 1])
        costs.append((counting.taken - before[0], len(sorted_ones) - before[1]))
    assert costs == [(1, 1), (1, 1)]
    assert max(sorted_ones) == 11
