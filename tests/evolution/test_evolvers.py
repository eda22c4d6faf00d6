"""The contract of evolvers, for each of them: pure, total, never the same design twice."""

import json
import subprocess
import sys

import numpy as np
import pytest

from evonas.evolution import EVOLVERS, Evolver
from evonas.settings import EvolverSettings
from evonas.space import load_space
from evonas.trial import Finished, History

SPACE = load_space("mobile_cells")
SETTINGS = EvolverSettings(population=10)


def toy_fitness(chromosome: tuple[float, ...]) -> tuple[float, float]:
    """Two objectives that pull apart: many set genes, and few."""
    values = np.array(chromosome)
    return float((values > 0).mean()), float(-(values[::2]).mean())


def evolve(evolver: Evolver, evaluations: int, fitness=toy_fitness) -> list[Finished]:  # type: ignore[no-untyped-def]
    finished: list[Finished] = []
    for number in range(evaluations):
        proposal = evolver.propose(History(tuple(finished)), [number])[0]
        finished.append(Finished(number, proposal.chromosome, fitness(proposal.chromosome)))
    return finished


def make(name: str, seed: int = 0, **settings: object) -> Evolver:
    return EVOLVERS[name](SETTINGS.model_copy(update=settings), SPACE, seed)


def many(name: str) -> int:
    """Proposals that take a few seconds: Optuna's cost more than ours."""
    return 30 if name in ("tpe", "nsga2") else 80


# Optuna's Gaussian process takes seconds a proposal: see test_optuna_study.
@pytest.mark.parametrize("name", [name for name in EVOLVERS if name != "gp"])
class TestEveryEvolver:
    def test_proposes_the_same_from_the_same_history(self, name: str) -> None:
        history = History(
            tuple(evolve(make(name), 25)), {25: SPACE.sample(np.random.default_rng(0))}
        )
        first = make(name).propose(history, [26, 27, 28])
        assert make(name).propose(history, [26, 27, 28]) == first
        # What a TPE asks for next may follow from the history alone.
        assert name == "tpe" or make(name, seed=1).propose(history, [26, 27, 28]) != first

    def test_proposes_the_same_in_a_new_process(self, name: str) -> None:
        script = (
            "import json, sys; sys.path.insert(0, sys.argv[1]); import test_evolvers as t\n"
            "done = t.evolve(t.make(sys.argv[2]), 24)\n"
            "print(json.dumps([f.chromosome for f in done]))"
        )
        call = [sys.executable, "-c", script, __file__.rpartition("/")[0], name]
        printed = subprocess.run(call, capture_output=True, text=True, check=True).stdout
        here = [list(finished.chromosome) for finished in evolve(make(name), 24)]
        assert json.loads(printed) == here

    def test_gives_one_canonical_proposal_for_each_number(self, name: str) -> None:
        history = History(tuple(evolve(make(name), 15)))
        proposals = make(name).propose(history, range(15, 35))
        chromosomes = [proposal.chromosome for proposal in proposals]
        assert EVOLVERS[name].may_repeat or len(set(chromosomes)) == 20
        assert all(SPACE.canonical(chromosome) == chromosome for chromosome in chromosomes)

    def test_never_proposes_what_is_done_or_in_flight(self, name: str) -> None:
        nano = load_space("nano")
        evolver = EVOLVERS[name](SETTINGS, nano, 3)
        finished: list[Finished] = []
        in_flight: dict[int, tuple[float, ...]] = {}
        for number in range(many(name)):
            chromosome = evolver.propose(History(tuple(finished), in_flight), [number])[
                0
            ].chromosome
            taken = {*in_flight.values(), *(done.chromosome for done in finished)}
            assert EVOLVERS[name].may_repeat or chromosome not in taken
            in_flight[number] = chromosome
            if len(in_flight) > 3:
                oldest = min(in_flight)
                done = in_flight.pop(oldest)
                finished.append(Finished(oldest, done, toy_fitness(done)))

    def test_copes_with_failures_and_with_nothing_feasible(self, name: str) -> None:
        done = evolve(make(name), 30, fitness=lambda chromosome: None)
        assert len(make(name).propose(History(tuple(done)), [30])) == 1

    def test_designs_of_the_start_come_first_and_in_order(self, name: str) -> None:
        start = tuple(SPACE.canonical(SPACE.sample(np.random.default_rng(s))) for s in (7, 5, 6))
        evolver = EVOLVERS[name](SETTINGS, SPACE, 0, start)
        at_once = evolver.propose(History(()), range(5))
        assert [proposal.chromosome for proposal in at_once[:3]] == list(start)
        assert [proposal.operator for proposal in at_once[:3]] == ["start"] * 3
        assert [proposal.parents for proposal in at_once[:3]] == [()] * 3
        assert "start" not in {proposal.operator for proposal in at_once[3:]}
        assert len({proposal.chromosome for proposal in at_once}) == 5
        done = evolve(evolver, 25)
        assert tuple(finished.chromosome for finished in done[:3]) == start
        assert evolver.propose(History(tuple(done)), [1]) == [at_once[1]]

    def test_designs_of_the_start_are_never_proposed_again(self, name: str) -> None:
        nano = load_space("nano")
        start = tuple(nano.canonical(nano.sample(np.random.default_rng(s))) for s in range(4))
        evolver = EVOLVERS[name](SETTINGS, nano, 3, start)
        done = [Finished(n, design, toy_fitness(design)) for n, design in enumerate(start[:2])]
        # two are still to come: in no history, and taken all the same
        for number in range(4, many(name)):
            fresh = evolver.propose(History(tuple(done)), [number])[0].chromosome
            assert EVOLVERS[name].may_repeat or fresh not in start
            done.append(Finished(number, fresh, toy_fitness(fresh)))

    def test_goes_on_when_the_space_is_exhausted(self, name: str) -> None:
        nano = load_space("nano")
        tiny = type(nano)("tiny", "", "", nano.template, nano.genes, nano.scales, nano.place)
        evolver = EVOLVERS[name](SETTINGS, tiny, 0)
        every = {
            c for c in (tiny.canonical(tiny.sample(np.random.default_rng(s))) for s in range(50))
        }
        history = History(tuple(Finished(n, c, (1.0, 1.0)) for n, c in enumerate(every)))
        assert len(evolver.propose(history, [len(every)])) == 1
