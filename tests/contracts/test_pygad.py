"""What evonas relies on in PyGAD: its operators, their signatures, and what `run()` does."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pygad
import pytest

from evonas.evolution.operators import FastGA, Operators, mating, pygad_parameters
from evonas.evolution.pygad_run_evolver import PygadRunEvolver
from evonas.settings import EvolverSettings
from evonas.space import load_space
from evonas.space.gene import Choice, Float, Gene, Int, Log
from evonas.space.search_space import SearchSpace
from evonas.trial import Finished, History

Fitness = Callable[[tuple[float, ...]], tuple[float, ...]]

GENES: tuple[Gene, ...] = (
    Choice("values.a", ("values", "a"), (), ("x", "y", "z")),
    Int("values.b", ("values", "b"), (), 0, 9),
    Choice("values.c", ("values", "c"), (), (3, 5, 7)),
    Float("values.d", ("values", "d"), (), -1.0, 1.0),
    Int("values.e", ("values", "e"), (), 0, 9),
    Log("values.f", ("values", "f"), (), 1e-3, 1e-1),
    Int("values.g", ("values", "g"), (), 0, 5),
)
TEMPLATE = {
    "network": {},
    "training": {},
    "compression": {},
    "values": {gene.key_path[1]: None for gene in GENES},
}
SPACE = SearchSpace("toy", "", "", TEMPLATE, GENES, {}, str)
WHOLE = load_space("nas_bench_201")  # every row is its own canonical form


def one(row: tuple[float, ...]) -> tuple[float, ...]:
    return (float(np.sin(np.array(row)).sum()),)


def two(row: tuple[float, ...]) -> tuple[float, ...]:
    values = np.array(row)
    return float(values.sum()), float(-(values**2).sum() + values[0])


def three(row: tuple[float, ...]) -> tuple[float, ...]:
    return *two(row), float(np.cos(np.array(row)).sum())


def populations_of_run(
    settings: EvolverSettings, space: SearchSpace, seed: int, generations: int, fitness: Fitness
) -> list[np.ndarray]:
    """What PyGAD's own loop goes through, with PyGAD's own sorting."""

    def evaluate(ga: Any, row: Any, index: Any) -> Any:
        values = fitness(tuple(row.tolist()))
        return values if len(values) > 1 else values[0]

    populations: list[np.ndarray] = []
    parameters = pygad_parameters(settings, space.genes)
    ga = pygad.GA(
        **parameters,
        num_generations=generations,
        num_parents_mating=mating(settings),
        sol_per_pop=settings.population,
        num_genes=len(space.genes),
        keep_elitism=settings.keep_elitism,
        keep_parents=settings.keep_parents,
        random_seed=seed,
        fitness_func=evaluate,
        on_start=lambda ga: populations.append(ga.population.copy()),
        on_generation=lambda ga: populations.append(ga.population.copy()),
    )
    ga.run()
    return populations


def populations_of_evolver(
    settings: EvolverSettings, space: SearchSpace, seed: int, generations: int, fitness: Fitness
) -> list[np.ndarray]:
    """The rows behind the proposals, generation by generation."""
    evolver = PygadRunEvolver(settings, space, seed)
    finished: list[Finished] = []
    populations = []
    for _ in range(generations + 1):
        generation = evolver.generation(len(finished))
        proposals = evolver.propose(History(tuple(finished)), generation)
        population = evolver._replay.ga.population.copy()
        new = population[len(population) - len(proposals) :]
        for number, row, proposal in zip(generation, new, proposals, strict=True):
            assert proposal.chromosome == space.canonical(row.tolist())
            finished.append(Finished(number, proposal.chromosome, fitness(tuple(row.tolist()))))
        populations.append(population)
    return populations


def evolver_settings(**given: Any) -> EvolverSettings:
    return EvolverSettings(engine="pygad_run", population=12, **given)


CASES = {
    "tournament, uniform, random": (
        one,
        {"selection": "tournament", "crossover": "uniform", "mutation": "random"},
    ),
    "sss, single_point": (one, {"selection": "sss", "crossover": "single_point"}),
    "tournament_nsga2": (two, {"selection": "tournament_nsga2"}),
    "many elites": (two, {"selection": "nsga2", "keep_elitism": 6}),
    "parents stay": (two, {"selection": "tournament_nsga2", "keep_elitism": 0}),
    "two parents stay": (one, {"selection": "rank", "keep_elitism": 0, "keep_parents": 2}),
    "nobody stays": (one, {"selection": "rws", "keep_elitism": 0, "keep_parents": 0}),
    "three objectives": (three, {"selection": "nsga3", "nsga3_divisions": 3}),
    "niches compete": (three, {"selection": "tournament_nsga3", "nsga3_divisions": 3}),
    "sbx, polynomial": (
        two,
        {"crossover": "sbx", "mutation": "polynomial", "mutation_probability": 0.3},
    ),
    "probabilities": (
        two,
        {"crossover_probability": 0.6, "mutation_probability": 0.2, "crossover": "two_points"},
    ),
    "without crossover": (one, {"selection": "sus", "crossover": "none"}),
    "swap": (two, {"mutation": "swap", "mutation_genes": 4}),
    "inversion": (two, {"mutation": "inversion", "mutation_genes": 4}),
    "scramble": (two, {"mutation": "scramble", "mutation_genes": 4}),
    "small moves": (one, {"selection": "random", "mutation_by_replacement": False}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_populations_are_those_of_pygads_run(case: str) -> None:
    fitness, given = CASES[case]
    settings = evolver_settings(**given)
    theirs = populations_of_run(settings, SPACE, 7, 8, fitness)
    ours = populations_of_evolver(settings, SPACE, 7, 8, fitness)
    assert len(theirs) == len(ours) == 9
    for generation, (their, our) in enumerate(zip(theirs, ours, strict=True)):
        assert np.array_equal(their, our), f"generation {generation}"


SIGNATURES = {
    "run_select_parents": ["self", "call_on_parents"],
    "run_crossover": ["self"],
    "run_mutation": ["self"],
    "run_update_population": ["self"],
    "steady_state_selection": ["self", "fitness", "num_parents"],
    "sort_solutions_nsga2": ["self", "fitness", "find_best_solution"],
    "non_dominated_sorting": ["self", "fitness"],
    "nsga3_generate_reference_points": ["self", "num_objectives", "num_divisions"],
    "prepare_changed_operator_solution": [
        *("self", "original_solution", "proposed_solution", "build_initial_pop")
    ],
    "is_gene_value_in_space": ["self", "gene_idx", "gene_value", "current_gene_value"],
    "is_bounded_operator_gene_value_in_space": ["self", "gene_index", "value"],
    "convert_bounded_operator_gene_value": ["self", "gene_index", "value"],
    "get_bounded_operator_gene_range": ["self", "gene_index"],
    **{
        f"{name}_crossover": ["self", "parents", "offspring_size"]
        for name in ("single_point", "two_points", "uniform", "scattered", "sbx")
    },
    **{
        f"{name}_mutation": ["self", "offspring"]
        for name in ("random", "swap", "inversion", "scramble", "polynomial")
    },
    **{
        name: ["self", "fitness", "num_parents"]
        for name in (
            *("tournament_selection", "tournament_selection_nsga2", "tournament_selection_nsga3"),
            *("nsga2_selection", "nsga3_selection", "rank_selection", "random_selection"),
            *("roulette_wheel_selection", "stochastic_universal_selection"),
        )
    },
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_methods_that_are_called_or_replaced_have_their_parameters(name: str) -> None:
    assert list(inspect.signature(getattr(pygad.GA, name)).parameters) == SIGNATURES[name]


ATTRIBUTES = [
    *("population", "sol_per_pop", "K_tournament", "num_genes", "num_offspring"),
    *("mutation_num_genes", "mutation_probability", "keep_elitism", "keep_parents"),
    *("crossover_type", "crossover_probability", "gene_space", "gene_space_nested", "gene_type"),
    *("gene_constraint", "allow_duplicate_genes", "numpy_random_generator"),
    *("python_random_generator", "generations_completed", "last_generation_fitness"),
    "last_generation_parents_indices",
]


def test_attributes_that_are_read_or_set_are_there() -> None:
    ga = pygad.GA(
        **pygad_parameters(EvolverSettings(), GENES),
        num_generations=1,
        num_parents_mating=2,
        sol_per_pop=4,
        num_genes=len(GENES),
        fitness_func=lambda ga, row, index: 0.0,
    )
    missing = [name for name in ATTRIBUTES if name not in vars(ga)]
    # The last is set by the first selection.
    assert missing in ([], ["last_generation_parents_indices"])
    assert isinstance(ga.numpy_random_generator, np.random.RandomState)
    assert ga.gene_type == [float, None]
    for operator in ("select_parents", "crossover", "mutation"):
        assert inspect.ismethod(getattr(ga, operator))


@pytest.mark.parametrize(
    ("mutation", "given"),
    [
        ("random", {}),
        ("random", {"mutation_probability": 0.3}),
        ("swap", {}),
        ("swap", {"mutation_genes": 5}),
        ("inversion", {"mutation_genes": 5}),
        ("scramble", {"mutation_genes": 5}),
        ("polynomial", {}),
        ("polynomial", {"mutation_probability": 0.5}),
        ("polynomial", {"mutation_by_replacement": False}),
    ],
)
@pytest.mark.parametrize("space", [SPACE, load_space("nano")], ids=["toy", "nano"])
def test_the_fast_checks_change_no_child(
    mutation: str, given: dict[str, Any], space: SearchSpace
) -> None:
    settings = EvolverSettings(mutation=mutation, crossover="sbx", **given)
    rng = np.random.default_rng(0)
    parents = np.array([space.sample(rng) for _ in range(30)])
    children = []
    for kind in (pygad.GA, FastGA):
        ga = kind(
            **pygad_parameters(settings, space.genes),
            num_generations=1,
            num_parents_mating=2,
            initial_population=parents,
            fitness_func=lambda ga, row, index: 0.0,
            random_seed=4,
        )
        crossed = ga.crossover(parents, offspring_size=parents.shape)
        children.append((crossed.copy(), ga.mutation(crossed)))
    assert np.array_equal(children[0][0], children[1][0])
    assert np.array_equal(children[0][1], children[1][1])


def test_the_operators_draw_from_their_own_generators_alone() -> None:
    """PyGAD binds its operators at construction: a copy must not use the original's state."""
    rng = np.random.default_rng(0)
    parents = np.array([SPACE.sample(rng) for _ in range(10)])
    fitness = np.array([two(tuple(row)) for row in parents])
    settings = EvolverSettings()

    def bred(other: bool) -> list[list[float]]:
        first = Operators(settings, SPACE, np.random.default_rng(1))
        second = Operators(settings, SPACE, np.random.default_rng(2))
        if other:
            second.mutate(second.cross(parents[second.select(parents, fitness, 4)], 4))
        chosen = parents[first.select(parents, fitness, 6)]
        return first.mutate(first.cross(chosen, 6)).tolist()

    assert bred(True) == bred(False)
