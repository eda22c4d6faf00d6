"""PyGAD's operators over our populations: what they take, give and leave alone."""

import time

import numpy as np
import pytest

from evonas.evolution.operators import (
    BEST_ONLY,
    Operators,
    blocks_of,
    is_categorical,
    nsga3_divisions,
    reference_points,
)
from evonas.pareto import ranks
from evonas.settings import EvolverSettings
from evonas.space import load_space
from evonas.space.gene import Choice, Float
from evonas.space.search_space import SearchSpace

NANO = load_space("nano")
CELLS = load_space("nasnet_cells")
SELECTIONS = EvolverSettings.model_fields["selection"].annotation.__args__  # type: ignore[union-attr]
CROSSOVERS = ["uniform", "single_point", "two_points", "scattered", "sbx"]
MUTATIONS = ["random", "swap", "inversion", "scramble", "polynomial", "adaptive"]


def operators(space: SearchSpace = NANO, seed: int = 0, **settings: object) -> Operators:
    rng = np.random.default_rng(seed)
    return Operators(EvolverSettings(**settings), space, rng)


def population(space: SearchSpace = NANO, size: int = 20) -> np.ndarray:
    rng = np.random.default_rng(9)
    return np.array([space.sample(rng) for _ in range(size)])


def fitness(size: int = 20, objectives: int = 2) -> np.ndarray:
    return np.random.default_rng(5).normal(size=(size, objectives))


@pytest.mark.parametrize("selection", SELECTIONS)
class TestEverySelection:
    @pytest.mark.parametrize("objectives", [1, 2, 3])
    @pytest.mark.parametrize("count", [1, 2, 7, 30])
    def test_gives_as_many_indices_as_asked(
        self, selection: str, objectives: int, count: int
    ) -> None:
        given = operators(selection=selection)
        indices = given.select(population(), fitness(objectives=objectives), count)
        assert indices.shape == (count,)
        assert indices.dtype == np.int64
        assert set(indices.tolist()) <= set(range(20))

    def test_depends_on_the_rng_alone(self, selection: str) -> None:
        def chosen(seed: int) -> list[int]:
            return (
                operators(seed=seed, selection=selection)
                .select(population(), fitness(), 40)
                .tolist()
            )

        assert chosen(1) == chosen(1)
        assert (chosen(1) == chosen(2)) == (selection in BEST_ONLY)

    def test_prefers_the_better(self, selection: str) -> None:
        values = fitness()
        given = operators(selection=selection)
        chosen = np.concatenate([given.select(population(), values, 10) for _ in range(100)])
        rank = ranks(values)
        if selection == "random":
            assert abs(rank[chosen].mean() - rank.mean()) < 0.3
        else:
            assert rank[chosen].mean() < rank.mean() - 0.3

    def test_copes_with_few_and_equal_individuals(self, selection: str) -> None:
        given = operators(selection=selection, tournament=9)
        for objectives in (1, 2):
            same = np.zeros((3, objectives))
            assert given.select(population(size=3), same, 5).shape == (5,)

    def test_leaves_what_it_was_given(self, selection: str) -> None:
        individuals, values = population(), fitness()
        operators(selection=selection).select(individuals, values, 4)
        assert np.array_equal(individuals, population())
        assert np.array_equal(values, fitness())


@pytest.mark.parametrize("selection", BEST_ONLY)
def test_selections_of_the_best_begin_again_after_the_last(selection: str) -> None:
    values = fitness(5)
    chosen = operators(selection=selection).select(population(size=5), values, 12).tolist()
    assert sorted(chosen[:5]) == [0, 1, 2, 3, 4]
    assert chosen[:5] == chosen[5:10]
    assert ranks(values)[chosen[:5]].tolist() == sorted(ranks(values))


def test_a_larger_tournament_presses_harder() -> None:
    values = fitness(objectives=1)
    means = []
    for size in (1, 3, 9):
        chosen = operators(selection="tournament", tournament=size).select(
            population(), values, 2000
        )
        means.append(values[chosen].mean())
    assert means == sorted(means)
    assert means[2] - means[0] > 1


def test_one_objective_is_seen_as_it_is_by_a_wheel() -> None:
    values = np.array([[1.0], [0.0], [9.0]])
    chosen = operators(selection="rws").select(population(size=3), values, 2000)
    assert np.bincount(chosen, minlength=3) / 2000 == pytest.approx([0.1, 0, 0.9], abs=0.03)


def test_divisions_make_at_most_as_many_reference_points_as_individuals() -> None:
    for objectives in (2, 3, 4, 8):
        for size in (10, 20, 100):
            settings = EvolverSettings(population=size)
            divisions = nsga3_divisions(settings, objectives)
            assert reference_points(objectives, divisions) <= size
            assert reference_points(objectives, divisions + 1) > size
    assert nsga3_divisions(EvolverSettings(nsga3_divisions=12), 3) == 12


@pytest.mark.parametrize("crossover", CROSSOVERS)
class TestEveryCrossover:
    def test_gives_as_many_children_as_asked_from_neighbouring_parents(
        self, crossover: str
    ) -> None:
        parents = population(CELLS, 3)
        children = operators(CELLS, crossover=crossover).cross(parents, 8)
        assert children.shape == (8, len(CELLS.genes))
        if crossover == "sbx":
            return
        for number, child in enumerate(children):
            pair = parents[[number % 3, (number + 1) % 3]]
            assert (child == pair).any(0).all()

    def test_leaves_the_parents_and_does_not_alias_them(self, crossover: str) -> None:
        parents = population()
        children = operators(crossover=crossover).cross(parents, 20)
        children[:] = -1
        assert np.array_equal(parents, population())

    def test_without_probability_nobody_mates(self, crossover: str) -> None:
        parents = population()
        given = operators(crossover=crossover, crossover_probability=0.0)
        assert np.array_equal(given.cross(parents, 20), parents)


def test_without_crossover_children_are_copies_in_turn() -> None:
    parents = population(size=3)
    children = operators(crossover="none").cross(parents, 5)
    assert np.array_equal(children, parents[[0, 1, 2, 0, 1]])
    children[:] = -1
    assert np.array_equal(parents, population(size=3))


def test_blocks_end_with_the_last_list_index() -> None:
    blocks = blocks_of(NANO.genes).tolist()
    by_name = dict(zip((gene.name for gene in NANO.genes), blocks, strict=True))
    assert by_name.pop("network.activation") == 0
    assert {block for name, block in by_name.items() if ".stages.0." in name} == {1}
    assert {block for name, block in by_name.items() if ".stages.1." in name} == {2}
    cells = dict(zip((gene.name for gene in CELLS.genes), blocks_of(CELLS.genes), strict=True))
    assert cells["network.normal.blocks.0.left.state"] == cells["network.normal.blocks.0.combine"]
    assert cells["network.normal.blocks.0.combine"] != cells["network.reduction.blocks.0.combine"]
    assert cells["network.reduction.mask.state_5"] != cells["network.reduction.mask.state_6"]


@pytest.mark.parametrize("crossover", [name for name in CROSSOVERS if name != "sbx"])
@pytest.mark.parametrize("probability", [None, 0.7])
def test_blocks_are_inherited_whole(crossover: str, probability: float | None) -> None:
    parents = np.arange(4.0)[:, None] * np.ones(len(CELLS.genes))
    given = operators(
        CELLS, crossover=crossover, block_crossover=True, crossover_probability=probability
    )
    children = given.cross(parents, 50)
    blocks = blocks_of(CELLS.genes)
    for block in range(blocks.max() + 1):
        assert (children[:, blocks == block].std(1) == 0).all()
    assert (children.std(1) > 0).any()


@pytest.mark.parametrize("mutation", MUTATIONS)
class TestEveryMutation:
    def test_changes_copies_inside_the_space(self, mutation: str) -> None:
        children = population()
        mutated = operators(mutation=mutation, mutation_genes=4).mutate(children)
        assert np.array_equal(children, population())
        changed = (mutated != children).sum(1)
        assert changed.max() >= 2
        assert (changed <= 4).all()
        for column, gene in zip(mutated.T, NANO.genes, strict=True):
            assert set(column) <= set(gene.pygad_space())

    def test_takes_a_number_of_genes_and_forgets_it(self, mutation: str) -> None:
        given = operators(CELLS, mutation=mutation, mutation_probability=0.0)
        children = population(CELLS, 40)
        assert (given.mutate(children, 8) != children).any()
        assert np.array_equal(given.mutate(children), children)
        assert given.mutate(children, 1000).shape == children.shape

    def test_is_fast(self, mutation: str) -> None:
        children = population(CELLS, 100)
        given = operators(CELLS, mutation=mutation)
        seconds = []
        for _ in range(5):
            begin = time.perf_counter()
            given.mutate(children)
            seconds.append(time.perf_counter() - begin)
        assert min(seconds) < 0.05


def test_no_mutation_changes_nothing() -> None:
    assert np.array_equal(operators(mutation="none").mutate(population(), 3), population())


def test_random_mutation_changes_as_many_genes_as_it_says() -> None:
    children = population(CELLS, 50)
    mutated = operators(CELLS, mutation_genes=5).mutate(children)
    assert ((mutated != children).sum(1) == 5).all()


def test_a_probability_is_that_of_each_gene() -> None:
    children = population(CELLS, 200)
    mutated = operators(CELLS, mutation_probability=0.1).mutate(children)
    assert (mutated != children).mean() == pytest.approx(0.1, abs=0.01)


def test_adaptive_mutation_changes_more_where_parents_are_bad() -> None:
    children = population(CELLS, 20)
    bad = np.arange(20) % 3 == 0
    given = operators(CELLS, mutation="adaptive", mutation_genes=2, mutation_genes_bad=7)
    changed = (given.mutate(children, bad=bad) != children).sum(1)
    assert (changed[bad] == 7).all()
    assert (changed[~bad] == 2).all()
    assert ((given.mutate(children) != children).sum(1) == 2).all()


def test_bad_are_those_behind_the_mean_rank() -> None:
    values = np.array([[4.0, 4.0], [3.0, 3.0], [2.0, 2.0], [1.0, 1.0]])
    assert operators().is_bad(values).tolist() == [False, False, True, True]
    assert not operators().is_bad(np.zeros((3, 2))).any()


REALS = SearchSpace(
    "reals",
    "",
    "",
    {"network": {}, "training": {}, "compression": {}, "values": {"a": None, "b": None}},
    (
        Float("values.a", ("values", "a"), (), 0.0, 10.0),
        Choice("values.b", ("values", "b"), (), ("x", "y", "z", "w", "v")),
    ),
    {},
    str,
)


def test_a_real_gene_is_drawn_anew_or_moves() -> None:
    middle = np.tile([5.0, 2.0], (300, 1))
    anew = operators(REALS, mutation_genes=2).mutate(middle)[:, 0]
    assert anew.std() > 2.5
    moved = operators(REALS, mutation_genes=2, mutation_by_replacement=False).mutate(middle)
    assert 0.4 < moved[:, 0].std() < 0.7
    assert (abs(moved[:, 0] - 5) <= 1).all()
    assert (moved[:, 1] != 2).all()


@pytest.mark.parametrize("mutation", ["polynomial", "swap", "scramble"])
def test_a_real_gene_at_its_upper_end_keeps_nothing_from_mutating(mutation: str) -> None:
    space = SearchSpace("two", "", "", REALS.template, (*REALS.genes, *REALS.genes[1:]), {}, str)
    at_end = np.tile([10.0, 2.0, 3.0], (200, 1))
    mutated = operators(space, mutation=mutation, mutation_genes=3).mutate(at_end)
    assert (mutated != at_end).any()


def test_alleles_without_order_are_not_blended() -> None:
    assert [is_categorical(gene) for gene in REALS.genes] == [False, True]
    assert not is_categorical(Choice("n", ("n",), (), (3, 5.5)))
    assert is_categorical(Choice("n", ("n",), (), (True, False)))
    parents = np.array([[2.0, 0.0], [8.0, 4.0]])
    children = operators(REALS, crossover="sbx").cross(np.repeat(parents, [1, 1], 0), 200)
    assert set(children[:, 1]) == {0.0, 4.0}
    assert len(set(children[:, 0])) > 100
    mutated = operators(REALS, mutation="polynomial", mutation_genes=2).mutate(
        np.tile([5.0, 0.0], (400, 1))
    )
    shares = np.bincount(mutated[:, 1].astype(int), minlength=5)[1:] / 400
    assert shares == pytest.approx([0.25] * 4, abs=0.07)
    assert mutated[:, 0].std() < 1.5


def test_they_are_cheap_to_make() -> None:
    operators(CELLS)
    seconds = []
    for _ in range(10):
        begin = time.perf_counter()
        operators(CELLS)
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < 0.003


def test_genes_that_python_calls_equal_have_their_own_toolkit() -> None:
    for alleles, categorical in (((0, 1), False), ((False, True), True)):
        gene = Choice("values.a", ("values", "a"), (), alleles)
        space = SearchSpace(
            "s", "", "", {**REALS.template, "values": {"a": None}}, (gene,), {}, str
        )
        assert operators(space).ga.gene_categorical == [categorical]
