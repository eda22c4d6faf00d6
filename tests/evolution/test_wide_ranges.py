"""Ranges of whole numbers so wide that no computer could list them are searched as others are."""

from pathlib import Path

import pytest

import evonas
from evonas.evolution import EVOLVERS
from evonas.space.load import load_space_file

SPACE = """
values:
  all: {int: [1, 9007199254740991]}
  both: {int: [-4000000000, 4000000000]}
  few: {int: [1, 3]}
  asked: {float: [0, 1], when: {both: 5}}
"""
FUNCTION = """
def last_digits(blueprint):
    return {"y": float(sum(value % 100 for value in blueprint.values.values()))}
"""
PYGAD = {
    "crossing": ("evolver.surrogate=false", "evolver.crossover=sbx"),
    "mutating": ("evolver.surrogate=false", "evolver.mutation=polynomial"),
    "moving": ("evolver.surrogate=false", "evolver.mutation_by_replacement=false"),
    "by_probability": ("evolver.surrogate=false", "evolver.mutation_probability=0.5"),
    "run": ("evolver.engine=pygad_run", "schedule=generational", "evolver.selection=tournament"),
}


@pytest.mark.parametrize(
    "words",
    [*((f"evolver={name}",) for name in EVOLVERS), *PYGAD.values()],
    ids=[*EVOLVERS, *PYGAD],
)
def test_every_evolver_searches_wide_ranges(words: tuple[str, ...]) -> None:
    Path("wide.yaml").write_text(SPACE)
    Path("digits.py").write_text(FUNCTION)
    function = ["evaluator=python", "evaluator.function=digits:last_digits", "objectives=y:max"]
    few = ["executor=inline", "evolver.population=6", "budget.evaluations=14"]
    trials = evonas.search(["space=./wide.yaml", *function, *few, *words]).trials()
    space = load_space_file(Path("wide.yaml"))
    assert len({trial.chromosome for trial, _ in trials}) == 14
    for trial, outcome in trials:
        assert outcome.measures
        values = trial.blueprint.values
        assert all(type(values[key]) is int for key in ("all", "both", "few"))
        assert trial.chromosome == space.encode(trial.blueprint)


def test_combinations_of_wide_ranges_are_counted_exactly(tmp_path: Path) -> None:
    file = tmp_path / "wide.yaml"
    file.write_text(SPACE.replace("float: [0, 1]", "choice: [1, 2, 3]"))
    assert load_space_file(file).size == (2**53 - 1) * 3 * (8 * 10**9 + 3)
