"""Settings that do not go together are named before a run starts."""

import pytest

from evonas.evolution.operator_rules import check_operators
from evonas.settings import EvolverSettings
from evonas.space import load_space

RUN = {"engine": "pygad_run"}

WRONG = {
    "there is one objective, and reference points need several": ({"selection": "nsga3"}, 1),
    "make 21 reference points, more than the population of 20": (
        {"selection": "nsga3", "nsga3_divisions": 5},
        3,
    ),
    "has no effect on evolver.selection=nsga2": ({"nsga3_divisions": 5, "selection": "nsga2"}, 2),
    "children would be copies": ({"crossover": "none", "mutation": "none"}, 2),
    "sbx blends gene by gene": ({"crossover": "sbx", "block_crossover": True}, 2),
    "with evolver.mutation_genes=1 it would do nothing": (
        {"mutation": "swap", "mutation_genes": 1},
        2,
    ),
    "evolver.mutation=adaptive counts genes": (
        {"mutation": "adaptive", "mutation_probability": 0.1},
        2,
    ),
    "is less than evolver.mutation_genes=6": ({"mutation": "adaptive", "mutation_genes": 6}, 2),
    "evolver.selection=nsga2 needs several objectives": ({**RUN, "selection": "nsga2"}, 1),
    "PyGAD would evaluate children twice": ({**RUN, "mutation": "adaptive"}, 2),
    "PyGAD knows no blocks": ({**RUN, "block_crossover": True}, 2),
    "leaves no room for children in a population of 20": ({**RUN, "keep_elitism": 20}, 2),
    "evolver.keep_parents=3 has no effect": ({**RUN, "keep_parents": 3}, 2),
    "is more than the 10 parents": ({**RUN, "keep_elitism": 0, "keep_parents": 11}, 2),
    "mutates the parents that it keeps": ({**RUN, "keep_elitism": 0, "crossover": "none"}, 2),
    "names 5 designs, more than the population of 4": (
        {**RUN, "population": 4, "start": ("a", "b", "c", "d", "e")},
        2,
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_wrong_is_said_in_one_line(message: str) -> None:
    given, objectives = WRONG[message]
    problems = check_operators(EvolverSettings(**given), objectives)
    assert len(problems) == 1
    assert message in problems[0]
    assert problems[0].startswith("evolver.")
    assert problems[0].endswith(".")


@pytest.mark.parametrize("space", ["nano", "mobile_cells", "nasnet_cells", "nas_bench_201"])
@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_the_defaults_go_with_everything(space: str, objectives: int) -> None:
    assert check_operators(EvolverSettings(), objectives, load_space(space)) == []


def test_operators_that_a_space_gives_nothing_to_do_are_refused() -> None:
    words = load_space("nas_bench_201")
    for given in ({"crossover": "sbx"}, {"mutation": "polynomial"}):
        assert (
            "no gene of nas_bench_201 has an order"
            in check_operators(EvolverSettings(**given), 2, words)[0]
        )
        assert check_operators(EvolverSettings(**given), 2, load_space("nano")) == []
    assert check_operators(EvolverSettings(mutation="swap"), 2, words) == []
    from dataclasses import replace

    single = replace(words, genes=words.genes[:1])
    problems = check_operators(EvolverSettings(mutation="swap"), 2, single)
    assert "no two genes of nas_bench_201 have the same alleles" in problems[0]


def test_settings_of_another_engine_are_no_problem_where_they_do_not_count() -> None:
    assert check_operators(EvolverSettings(keep_elitism=50), 2) == []
    assert check_operators(EvolverSettings(name="random", engine="pygad_run"), 1) == []
