"""Generations of PyGAD's run from a history; that they equal `run()` is a contract test."""

import numpy as np
import pytest

from evonas.evolution.operators import mating
from evonas.evolution.pygad_run_evolver import PygadRunEvolver, complete
from evonas.settings import EvolverSettings
from evonas.space import load_space
from evonas.trial import Finished, History

NANO = load_space("nano")


def make(seed: int = 0, **settings: object) -> PygadRunEvolver:
    return PygadRunEvolver(EvolverSettings(population=10, **settings), NANO, seed)


def toy(chromosome: tuple[float, ...]) -> tuple[float, float]:
    values = np.array(chromosome)
    return float((values > 0).mean()), float(-(values[::2]).mean())


def evolve(evolver: PygadRunEvolver, generations: int, fitness=toy) -> list[Finished]:  # type: ignore[no-untyped-def]
    finished: list[Finished] = []
    for _ in range(generations):
        numbers = evolver.generation(len(finished))
        proposals = evolver.propose(History(tuple(finished)), numbers)
        finished += [
            Finished(number, proposal.chromosome, fitness(proposal.chromosome))
            for number, proposal in zip(numbers, proposals, strict=True)
        ]
    return finished


@pytest.mark.parametrize(
    ("given", "later"),
    [
        ({}, 9),
        ({"keep_elitism": 4}, 6),
        ({"keep_elitism": 0}, 5),
        ({"keep_elitism": 0, "keep_parents": 0}, 10),
        ({"keep_elitism": 0, "keep_parents": 3}, 7),
    ],
)
def test_generations_are_shorter_by_those_who_stay(given: dict[str, int], later: int) -> None:
    evolver = make(**given)
    assert all(evolver.generation(number) == range(10) for number in range(10))
    for index in range(4):
        generation = range(10 + index * later, 10 + (index + 1) * later)
        assert all(evolver.generation(number) == generation for number in generation)


def test_a_new_evolver_goes_on_as_the_old_would() -> None:
    old = make()
    finished = evolve(old, 5)
    history = History(tuple(finished))
    numbers = old.generation(len(finished))
    expected = old.propose(history, numbers)
    assert make().propose(history, numbers) == expected
    assert make(seed=1).propose(history, numbers) != expected
    # The order of finishing, and which numbers are asked for, change nothing.
    turned = History(tuple(reversed(finished)))
    assert make().propose(turned, numbers) == expected
    assert make().propose(history, numbers[3:5]) == expected[3:5]
    assert make().propose(history, [*numbers][::-1]) == expected[::-1]


def test_what_was_proposed_before_leaves_no_trace() -> None:
    evolver = make()
    first = History(tuple(evolve(make(), 4)))
    second = History(
        tuple(Finished(f.number, f.chromosome, (float(-f.number), 0.0)) for f in first.finished)
    )
    numbers = evolver.generation(len(first.finished))
    one, two = make().propose(first, numbers), make().propose(second, numbers)
    assert one != two
    for history, expected in ((first, one), (second, two), (first, one)):
        assert evolver.propose(history, numbers) == expected
    assert evolver.propose(History(), range(10)) == make().propose(History(), range(10))


def test_proposals_are_canonical_and_have_parents_from_earlier() -> None:
    evolver = make()
    history = History(tuple(evolve(evolver, 4)))
    numbers = evolver.generation(len(history.finished))
    for proposal in evolver.propose(history, numbers):
        assert NANO.canonical(proposal.chromosome) == proposal.chromosome
        assert 1 <= len(proposal.parents) <= 2
        assert max(proposal.parents) < numbers.start
        assert proposal.operator == "uniform+random"


def test_children_have_their_genes_from_their_parents() -> None:
    """In a space where a row is its own canonical form, and without mutation."""
    space = load_space("nas_bench_201")
    settings = EvolverSettings(population=10, mutation="none", keep_elitism=3)
    evolver = PygadRunEvolver(settings, space, 0)
    finished = evolve(evolver, 6)
    chromosomes = {done.number: np.array(done.chromosome) for done in finished}
    history = History(tuple(finished))
    for proposal in evolver.propose(history, evolver.generation(len(finished))):
        parents = np.array([chromosomes[number] for number in proposal.parents])
        assert (parents == np.array(proposal.chromosome)).any(0).all()


@pytest.mark.parametrize("keep", [{"keep_elitism": 2}, {"keep_elitism": 0, "keep_parents": 0}])
def test_copies_without_crossover_know_whose_they_are(keep: dict[str, int]) -> None:
    space = load_space("nas_bench_201")
    settings = EvolverSettings(population=10, crossover="none", mutation="none", **keep)
    evolver = PygadRunEvolver(settings, space, 0)
    finished = evolve(evolver, 4)
    chromosomes = {done.number: done.chromosome for done in finished}
    history = History(tuple(finished))
    for proposal in evolver.propose(history, evolver.generation(len(finished))):
        assert [chromosomes[number] for number in proposal.parents] == [proposal.chromosome]


def test_start_designs_are_the_first_rows() -> None:
    start = (NANO.canonical([0.0] * len(NANO.genes)), NANO.canonical([1.0] * len(NANO.genes)))
    evolver = PygadRunEvolver(EvolverSettings(population=10), NANO, 0, start)
    proposals = evolver.propose(History(), range(10))
    assert tuple(proposal.chromosome for proposal in proposals[:2]) == start
    assert [proposal.operator for proposal in proposals[:3]] == ["start", "start", "random"]
    assert proposals[2:] == make().propose(History(), range(10))[2:]
    # They breed: with a fitness that nobody reaches, they are parents of all.
    finished = [
        Finished(number, proposal.chromosome, (9.0, 9.0) if number < 2 else (0.0, 0.0))
        for number, proposal in enumerate(proposals)
    ]
    children = evolver.propose(History(tuple(finished)), evolver.generation(10))
    assert any({0, 1} & set(child.parents) for child in children)


@pytest.mark.parametrize("selection", ["tournament_nsga2", "nsga3", "rws", "sus", "rank", "sss"])
@pytest.mark.parametrize("objectives", [1, 2])
def test_it_copes_with_failures_and_with_nothing_feasible(selection: str, objectives: int) -> None:
    evolver = make(selection=selection, nsga3_divisions=3)
    assert len(evolve(evolver, 4, lambda chromosome: None)) == 10 + 3 * 9
    some = evolve(evolver, 4, lambda c: toy(c)[:objectives] if sum(c) % 2 else None)
    assert len(some) == 10 + 3 * 9


def test_what_has_no_fitness_ranks_last_and_is_of_the_same_size() -> None:
    settings = EvolverSettings()
    filled = complete([(1.0, 5.0), None, (3.0, 5.0)], settings)
    assert filled.tolist() == [[1.0, 5.0], [-1.0, 4.0], [3.0, 5.0]]
    single = EvolverSettings(selection="tournament")
    assert complete([(1.0,), None], single).tolist() == [1.0, 0.0]
    assert complete([None, None], single).tolist() == [0.0, 0.0]


def test_failed_designs_are_parents_of_nobody_while_others_are_left() -> None:
    evolver = make(selection="sss")
    start = evolver.propose(History(), range(10))
    finished = tuple(
        Finished(number, proposal.chromosome, toy(proposal.chromosome) if number % 2 else None)
        for number, proposal in enumerate(start)
    )
    children = evolver.propose(History(finished), evolver.generation(10))
    assert {number % 2 for child in children for number in child.parents} == {1}
    assert mating(evolver.settings) == 5
