"""Baselines: pure, better than chance, and with caches that never show."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from evonas.evolution import Evolver
from evonas.evolution.aging_evolver import AgingEvolver
from evonas.evolution.optuna_evolver import GpEvolver, Nsga2Evolver, TpeEvolver
from evonas.evolution.random_evolver import RandomEvolver
from evonas.pareto import hypervolume
from evonas.settings import EvolverSettings
from evonas.space import SearchSpace, load_space
from evonas.trial import Chromosome, Finished, History

EVOLVERS: dict[str, type[Evolver]] = {
    "aging": AgingEvolver,
    "gp": GpEvolver,
    "nsga2": Nsga2Evolver,
    "random": RandomEvolver,
    "tpe": TpeEvolver,
}
QUICK = ["aging", "nsga2", "tpe"]  # a Gaussian process takes a second for a proposal
BASELINES = [*QUICK, pytest.param("gp", marks=pytest.mark.slow)]

BOWL = """
title: One gene of each kind, and one with a condition
values:
  rate: {log: [0.0001, 1]}
  units: {choice: [8, 16, 32, 64, 128, 256]}
  layers: {int: [1, 8]}
  optimiser: {choice: [adam, sgd, lion]}
  momentum: {float: [0, 1], when: {optimiser: sgd}}
  drop: {float: [0, 1]}
  steps: [{repeat: 4, choice: [1, 2, 3, 5, 8]}]
"""


def load(folder: Path, text: str = BOWL) -> SearchSpace:
    (folder / "own.yaml").write_text(text)
    return load_space(str(folder / "own.yaml"))


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> SearchSpace:
    return load(tmp_path_factory.mktemp("space"))


def bowl(space: SearchSpace, chromosome: Chromosome) -> tuple[float]:
    """Best where each gene has two thirds of its range."""
    far = []
    for gene, number in zip(space.genes, chromosome, strict=True):
        low, high = (gene.number(gene.allele(end)) for end in (-np.inf, np.inf))
        far.append(abs((number - low) / (high - low) - 0.67))
    return (-float(np.mean(far)),)


def two_bowls(space: SearchSpace, chromosome: Chromosome) -> tuple[float, float]:
    """A second objective that wants small numbers."""
    return *bowl(space, chromosome), -float(np.mean(chromosome))


def make(name: str, space: SearchSpace, seed: int = 0) -> Evolver:
    return EVOLVERS[name](EvolverSettings(population=10), space, seed)


def evolve(evolver: Evolver, evaluations: int, fitness=bowl) -> list[Finished]:  # type: ignore[no-untyped-def]
    finished: list[Finished] = []
    for number in range(evaluations):
        chromosome = evolver.propose(History(tuple(finished)), [number])[0].chromosome
        finished.append(Finished(number, chromosome, fitness(evolver.space, chromosome)))
    return finished


def some(space: SearchSpace, count: int, fitness=bowl) -> list[Finished]:  # type: ignore[no-untyped-def]
    """Random designs, every fifth of which failed."""
    finished = evolve(make("random", space), count, fitness)
    return [f if f.number % 5 else Finished(f.number, f.chromosome, None) for f in finished]


def busy(space: SearchSpace) -> History:
    """Some designs, one in flight."""
    return History(tuple(some(space, 27)), {30: space.canonical((0.0,) * len(space.genes))})


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("fitness", [bowl, two_bowls])
def test_an_extended_history_equals_a_rebuilt_one(name: str, fitness, space: SearchSpace) -> None:  # type: ignore[no-untyped-def]
    finished = some(space, 33, fitness)
    other = [Finished(f.number, f.chromosome, f.fitness and (f.fitness[0],)) for f in finished[:9]]
    kept = make(name, space)
    for known in (14, 33) if name == "gp" else (0, 14, 15, 31, 9, 32, 33):
        flying = {
            number: finished[number].chromosome for number in range(known, min(33, known + 3))
        }
        history = History(tuple(finished[:known]), flying)
        numbers = [40] if name == "gp" else [40, 41]
        assert kept.propose(history, numbers) == make(name, space).propose(history, numbers)
        kept.propose(History(tuple(other)), [40])


@pytest.mark.parametrize("name", BASELINES)
def test_proposes_the_same_in_a_new_process(name: str, space: SearchSpace, tmp_path: Path) -> None:
    script = (
        "import json, sys, pathlib; sys.path.insert(0, sys.argv[1])\n"
        "import test_optuna_study as t\n"
        "space = t.load(pathlib.Path(sys.argv[3]))\n"
        "asked = t.make(sys.argv[2], space).propose(t.busy(space), [31, 32])\n"
        "print(json.dumps([[p.chromosome, p.parents, p.operator] for p in asked]))"
    )
    call = [sys.executable, "-c", script, str(Path(__file__).parent), name, str(tmp_path)]
    printed = subprocess.run(call, capture_output=True, text=True, check=True).stdout
    here = make(name, space).propose(busy(space), [31, 32])
    assert json.loads(printed) == [[[*p.chromosome], [*p.parents], p.operator] for p in here]


@pytest.mark.parametrize("name", BASELINES)
def test_another_seed_or_number_is_another_design(name: str, space: SearchSpace) -> None:
    history = History(tuple(some(space, 27)))
    first = make(name, space).propose(history, [30])[0].chromosome
    assert make(name, space, seed=1).propose(history, [30])[0].chromosome != first
    assert make(name, space).propose(history, [31])[0].chromosome != first


@pytest.mark.parametrize("name", QUICK)
def test_beats_random_on_one_objective(name: str, space: SearchSpace) -> None:
    def score(own: str, seed: int) -> float:
        last = evolve(make(own, space, seed), 70)[40:]
        return float(np.mean([f.fitness for f in last]))

    assert all(score(name, seed) > score("random", seed) + 0.02 for seed in range(2))


@pytest.mark.parametrize("name", ["nsga2", "tpe"])
def test_beats_random_on_two_objectives(name: str, space: SearchSpace) -> None:
    def score(own: str, seed: int) -> float:
        fitness = [f.fitness for f in evolve(make(own, space, seed), 50, two_bowls)]
        return hypervolume(np.array(fitness), np.array([-0.6, -4.0]))

    assert sum(score(name, s) for s in range(2)) > sum(score("random", s) for s in range(2))


@pytest.mark.slow
def test_the_gaussian_process_beats_random(space: SearchSpace) -> None:
    def best(own: str) -> float:
        return max(f.fitness[0] for f in evolve(make(own, space), 20) if f.fitness)

    assert best("gp") > best("random")


def test_generations_of_nsga2_improve(space: SearchSpace) -> None:
    values = [f.fitness[0] for f in evolve(make("nsga2", space), 60) if f.fitness]
    generations = np.array(values).reshape(6, 10).mean(1)
    assert generations[-2:].mean() > generations[0] + 0.05


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("evaluations", [0, 1, 12])
def test_copes_when_all_failed(name: str, evaluations: int, space: SearchSpace) -> None:
    done = [Finished(f.number, f.chromosome, None) for f in some(space, evaluations)]
    proposals = make(name, space).propose(History(tuple(done)), [20, 21])
    assert all(space.canonical(p.chromosome) == p.chromosome for p in proposals)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("alleles", ["[only]", "[a, b]", "[1, 2]"])
def test_goes_on_when_the_space_is_exhausted(name: str, alleles: str, tmp_path: Path) -> None:
    tiny = load(tmp_path, f"title: Tiny\nvalues:\n  one: {{choice: {alleles}}}\n")
    history = History(tuple(Finished(n, (float(n % tiny.size),), (1.0,)) for n in range(12)))
    proposals = make(name, tiny).propose(history, [12, 13])
    assert {p.chromosome for p in proposals} <= {(0.0,), (1.0,)}


@pytest.mark.parametrize("name", ["nsga2", "tpe"])
def test_no_design_comes_twice_while_another_is_left(name: str, tmp_path: Path) -> None:
    small = load(
        tmp_path, "title: Small\nvalues:\n  size: [{repeat: 2, choice: [1, 2, 3, 4, 5]}]\n"
    )
    finished = evolve(make(name, small), 25)
    assert len({f.chromosome for f in finished}) == 25


@pytest.mark.parametrize("name", ["tpe", BASELINES[-1]])
def test_designs_in_flight_matter(name: str, space: SearchSpace) -> None:
    finished = some(space, 25)
    alone = make(name, space).propose(History(tuple(finished)), [30])[0]
    flying = {29 - n: f.chromosome for n, f in enumerate(some(space, 4)[1:])}
    flying[26] = alone.chromosome
    beside = make(name, space).propose(History(tuple(finished), flying), [30])[0]
    assert beside.chromosome != alone.chromosome


def test_mutants_differ_from_a_young_parent_in_one_gene(space: SearchSpace) -> None:
    finished = some(space, 40)
    alive = [f.number for f in finished if f.fitness]
    for proposal in make("aging", space).propose(History(tuple(finished)), range(40, 80)):
        (parent,) = proposal.parents
        assert parent in alive[-10:]
        own = space.alleles(finished[parent].chromosome)
        child = space.alleles(proposal.chromosome)
        # A gene that is asked about by a condition takes another with it.
        changed = {key for key in own.keys() | child.keys() if own.get(key) != child.get(key)}
        assert len(changed) == 1 or changed == {"values.optimiser", "values.momentum"}


def test_the_best_of_a_large_sample_is_the_parent(space: SearchSpace) -> None:
    settings = EvolverSettings(population=10, sample=200)
    finished = some(space, 40)
    young = [f for f in finished if f.fitness][-10:]
    best = max(young, key=lambda f: f.fitness or ())
    evolver = AgingEvolver(settings, space, 0)
    assert evolver.propose(History(tuple(finished)), [40])[0].parents == (best.number,)


def test_importing_the_evolvers_does_not_load_optuna() -> None:
    script = "import sys, evonas.evolution.optuna_evolver; print('optuna' in sys.modules)"
    call = [sys.executable, "-c", script]
    assert subprocess.run(call, capture_output=True, text=True).stdout == "False\n"


def test_optuna_keeps_its_voice(space: SearchSpace, capfd: pytest.CaptureFixture[str]) -> None:
    import optuna

    before = optuna.logging.get_verbosity()
    make("tpe", space).propose(History(tuple(some(space, 15))), [15])
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr().err == ""
