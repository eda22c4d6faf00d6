"""First designs: canonical, evenly spread, the same for the same generator."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from evonas.evolution.features import Features
from evonas.evolution.spread import spread_designs
from evonas.space import SearchSpace, known_spaces, load_space
from evonas.space.load import load_space_file

VALUES = """\
values:
  rate: {log: [0.001, 1]}
  drop: {float: [0, 0.5]}
  width: {int: [1, 4]}
  kind: {choice: [a, b, c]}
"""


@pytest.fixture
def space(working_folder: Path) -> SearchSpace:
    file = working_folder / "mine.yaml"
    file.write_text(VALUES)
    return load_space_file(file)


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", known_spaces())
@pytest.mark.parametrize("count", [1, 2, 8])
def test_there_are_as_many_canonical_designs_as_asked(name: str, count: int) -> None:
    space = load_space(name)
    designs = spread_designs(space, count, generator(0))
    assert len(designs) == count
    assert all(space.canonical(design) == design for design in designs)
    assert len(set(designs)) == count


def test_the_same_generator_gives_the_same_designs_and_another_gives_others() -> None:
    space = load_space("mobile_cells")
    first = spread_designs(space, 8, generator(1))
    assert spread_designs(space, 8, generator(1)) == first
    assert spread_designs(space, 8, generator(2)) != first


@pytest.mark.parametrize("count", [1, 2, 7, 24])
def test_each_share_of_a_real_gene_is_met_once(space: SearchSpace, count: int) -> None:
    numbers = np.array(spread_designs(space, count, generator(0)))
    for column, (low, high) in ((0, (-3.0, 0.0)), (1, (0.0, 0.5))):
        strata = np.floor((numbers[:, column] - low) / (high - low) * count)
        assert sorted(strata.tolist()) == list(range(count))


@pytest.mark.parametrize("count", [4, 12, 24, 25])
def test_each_allele_is_met_about_equally_often(space: SearchSpace, count: int) -> None:
    numbers = np.array(spread_designs(space, count, generator(0)))
    for column, alleles in ((2, 4), (3, 3)):
        met = Counter(numbers[:, column].tolist())
        assert len(met) == alleles
        assert max(met.values()) - min(met.values()) <= (0 if count % alleles == 0 else 2)


def test_with_fewer_designs_than_alleles_none_is_met_twice(space: SearchSpace) -> None:
    numbers = np.array(spread_designs(space, 3, generator(0)))
    assert len(set(numbers[:, 2].tolist())) == len(set(numbers[:, 3].tolist())) == 3


def test_spread_designs_lie_farther_apart_than_random_ones(space: SearchSpace) -> None:
    features = Features(space)

    def closest(designs: list[tuple[float, ...]]) -> float:
        vectors = features.vectors(designs)
        found = features.distances(vectors, vectors).sum(-1)
        return float(found[np.triu_indices(len(designs), 1)].min())

    spread = [closest(spread_designs(space, 8, generator(seed))) for seed in range(10)]
    drawn = []
    for seed in range(10):
        rng = generator(seed)
        drawn.append(closest([space.sample(rng) for _ in range(8)]))
    assert np.mean(spread) > 1.5 * np.mean(drawn)
