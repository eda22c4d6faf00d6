"""The evolver on PyGAD's operators: it learns, breeds in every way, and leaves others alone."""

import itertools

import numpy as np
import pytest
from test_evolvers import SETTINGS, evolve, make

from evonas.evolution import EVOLVERS
from evonas.settings import EvolverSettings
from evonas.space import load_space
from evonas.space.document import document_of
from evonas.space.load import space_of
from evonas.trial import Finished, History


def test_pygad_beats_random_on_a_toy() -> None:
    reference = np.array([0.0, -2.0])

    def score(name: str, seed: int) -> float:
        from evonas import pareto

        fitness = np.array([done.fitness for done in evolve(make(name, seed), 80)])
        return pareto.hypervolume(fitness, reference)

    wins = sum(score("pygad", seed) > score("random", seed) for seed in range(3))
    assert wins == 3


@pytest.mark.parametrize(
    "selection", ["tournament_nsga2", "nsga2", "tournament", "rank", "random", "sss", "rws", "sus"]
)
def test_every_selection_breeds(selection: str) -> None:
    evolver = make("pygad", selection=selection)
    history = History(tuple(evolve(evolver, 20)))
    proposals = evolver.propose(history, range(20, 30))
    assert all(proposal.parents for proposal in proposals)


@pytest.mark.parametrize(
    "crossover", ["uniform", "single_point", "two_points", "scattered", "none"]
)
@pytest.mark.parametrize("mutation", ["random", "swap", "inversion", "scramble"])
def test_every_crossover_and_mutation_breeds(crossover: str, mutation: str) -> None:
    evolver = make("pygad", crossover=crossover, mutation=mutation)
    history = History(tuple(evolve(make("pygad"), 20)))
    proposals = evolver.propose(history, range(20, 24))
    bred = [proposal for proposal in proposals if proposal.parents]
    assert bred
    operators = {f"{crossover}+{mutation}", f"none+{mutation}"}
    assert {proposal.operator for proposal in bred} <= operators
    most = 1 if crossover == "none" else 2
    assert all(1 <= len(proposal.parents) <= most for proposal in bred)


def test_parents_are_from_the_best_of_the_history() -> None:
    evolver = make("pygad")
    history = History(tuple(evolve(make("random"), 60)))
    asked = range(60, 100)
    parents = {p for proposal in evolver.propose(history, asked) for p in proposal.parents}
    from evonas.pareto import best_first

    fitness = np.array([done.fitness for done in history.finished])
    best = set(best_first(fitness)[: SETTINGS.population].tolist())
    assert len(parents & best) >= SETTINGS.population // 2
    assert parents - best <= set(asked), "or of those in flight by then"


def test_nothing_is_bred_of_the_first_that_finish_alone() -> None:
    evolver = make("pygad", surrogate=True, initial=8)
    first = [proposal.chromosome for proposal in evolver.propose(History(), range(8))]
    done = tuple(Finished(n, c, (-float(n), 0.0)) for n, c in enumerate(first))
    waiting = History(done[:7], {7: first[7]})
    assert not evolver.propose(waiting, [8])[0].parents
    assert evolver.propose(waiting, [16])[0].parents, "but it does not wait for ever"
    assert evolver.propose(History(done), [8])[0].parents


def test_siblings_differ_in_what_is_made_of_the_trained_network_alone() -> None:
    space = load_space("nano+compression")
    settings = EvolverSettings(population=4, initial=4, siblings=1.0)
    evolver = EVOLVERS["pygad"](settings, space, 0)
    done: list[Finished] = []
    siblings = []
    for number in range(30):
        proposal = evolver.propose(History(tuple(done)), [number])[0]
        done.append(Finished(number, proposal.chromosome, (sum(proposal.chromosome),)))
        siblings += [proposal] if proposal.operator == "sibling" else []
    assert siblings
    for sibling in siblings:
        (parent,) = sibling.parents
        pairs = zip(space.genes, sibling.chromosome, done[parent].chromosome, strict=True)
        changed = {gene.key_path[:2] for gene, own, other in pairs if own != other}
        assert changed
        assert changed <= {("compression", "pruning"), ("compression", "quantisation")}


def test_pygad_leaves_the_global_generators_alone() -> None:
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    evolve(make("pygad"), 15)
    assert np.random.random() == expected


def test_parents_whose_neighbours_are_all_taken_have_children_farther_away() -> None:
    space = space_of(
        document_of({"values": {"x": [{"choice": [0, 1, 2, 3], "repeat": 6}]}}, "grid")
    )
    designs = [tuple(map(float, design)) for design in itertools.product(range(4), repeat=6)]
    near = [design for design in designs if sum(value > 0 for value in design) <= 2]
    finished = [Finished(number, design, (-sum(design),)) for number, design in enumerate(near)]
    settings = EvolverSettings(population=4, surrogate=False, mutation_genes=1)
    evolver = EVOLVERS["pygad"](settings, space, 0)
    proposals = evolver.propose(History(finished), range(len(near), len(near) + 20))
    assert {proposal.operator for proposal in proposals} == {"uniform+random"}
    assert not {proposal.chromosome for proposal in proposals} & set(near)
