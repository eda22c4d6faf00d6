"""Distances between designs: rules for genes, words of networks, and no memory of others."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.evolution.features import Array, Features, is_ordered
from evonas.networks import words
from evonas.space import SearchSpace, known_spaces, load_space
from evonas.space.load import load_space_file
from evonas.trial import Chromosome

VALUES = """\
values:
  rate: {log: [0.001, 1]}
  drop: {float: [0, 0.5]}
  width: {int: [1, 9]}
  kind: {choice: [a, b, c]}
  steps: {choice: [2, 4, 8]}
  momentum: {float: [0, 1], when: {kind: b}}
  nesterov: {choice: [true, false], when: {kind: [b, c]}}
"""


@pytest.fixture
def space(working_folder: Path) -> SearchSpace:
    file = working_folder / "mine.yaml"
    file.write_text(VALUES)
    return load_space_file(file)


def design(space: SearchSpace, **alleles: object) -> Chromosome:
    """Canonical; of each gene the allele named, or the first."""
    numbers = []
    for gene in space.genes:
        name = gene.name.rpartition(".")[2]
        numbers.append(gene.number(alleles.get(name, gene.extremes[0])))  # type: ignore[arg-type]
    return space.canonical(numbers)


def distances_of(
    features: Features, first: Sequence[Chromosome], second: Sequence[Chromosome]
) -> Array:
    return features.distances(features.vectors(first), features.vectors(second))


def distances(space: SearchSpace, one: Chromosome, other: Chromosome) -> dict[str, float]:
    """By gene."""
    found = distances_of(Features(space), [one], [other])[0, 0]
    names = [gene.name.rpartition(".")[2] for gene in space.genes]
    return dict(zip(names, found.tolist(), strict=True))


def draws(space: SearchSpace, count: int, seed: int = 0) -> list[Chromosome]:
    rng = np.random.default_rng(seed)
    return [space.canonical(space.sample(rng)) for _ in range(count)]


@pytest.mark.parametrize("name", known_spaces())
class TestEveryShippedSpace:
    def test_distances_are_symmetric_and_from_0_to_2(self, name: str) -> None:
        space = load_space(name)
        designs = draws(space, 12)
        found = distances_of(Features(space), designs, designs)
        np.testing.assert_array_equal(found, found.transpose(1, 0, 2))
        assert (found >= 0).all()
        assert (found <= 2).all()
        assert found[0, 1:].sum(-1).all(), "designs that differ are apart"

    def test_a_design_is_at_distance_0_to_itself(self, name: str) -> None:
        space = load_space(name)
        designs = draws(space, 12)
        found = distances_of(Features(space), designs, designs)[range(12), range(12)]
        np.testing.assert_allclose(found, 0, atol=1e-12)

    def test_distances_are_the_same_whatever_was_read_and_asked_with_them(self, name: str) -> None:
        space = load_space(name)
        designs = draws(space, 12)
        features = Features(space)
        together = distances_of(features, designs, designs)
        assert distances_of(features, draws(space, 5, seed=1), designs).shape[:2] == (5, 12)
        for one, other in ((0, 1), (3, 7), (11, 2)):
            alone = distances_of(Features(space), [designs[one]], [designs[other]])[0, 0]
            np.testing.assert_allclose(together[one, other], alone, atol=1e-12)
        some = distances_of(features, designs[:4], designs[3:])
        np.testing.assert_allclose(some, together[:4, 3:], atol=1e-12)

    def test_weighted_distances_are_their_sums(self, name: str) -> None:
        space = load_space(name)
        features = Features(space)
        few, many = (features.vectors(draws(space, count)) for count in (5, 12))
        apart = features.distances(few, many)
        weights = np.random.default_rng(0).random(apart.shape[2])
        (found,) = features.weighted(few, many, [weights])
        np.testing.assert_allclose(found, apart @ weights, atol=1e-9)

    def test_what_was_read_is_not_read_again(self, name: str) -> None:
        space = load_space(name)
        designs = list(dict.fromkeys(draws(space, 8)))
        features = Features(space)
        distances_of(features, designs, designs)
        distances_of(features, designs[::-1], designs)
        assert features._read.cache_info().misses == len(designs)


def chord(step: float) -> float:
    """Squared, of so much of a sixth of a circle."""
    return float(2 - 2 * np.cos(np.pi / 3 * step))


def test_steps_are_shares_of_the_range(space: SearchSpace) -> None:
    one = design(space, rate=0.001, drop=0.0, width=1, steps=2)
    other = design(space, rate=0.01, drop=0.25, width=3, steps=4)
    found = distances(space, one, other)
    assert found["rate"] == pytest.approx(chord(1 / 3))
    assert found["drop"] == pytest.approx(chord(1 / 2))
    assert found["width"] == pytest.approx(chord(1 / 4))
    assert found["steps"] == pytest.approx(chord(1 / 2))
    ends = distances(space, one, design(space, rate=1.0, drop=0.5, width=9, steps=8))
    assert [ends[name] for name in ("rate", "drop", "width", "steps")] == pytest.approx([1] * 4)


def test_unordered_alleles_are_all_equally_far_apart(space: SearchSpace) -> None:
    for one, other in (("a", "b"), ("a", "c"), ("b", "c")):
        found = distances(space, design(space, kind=one), design(space, kind=other))
        assert found["kind"] == pytest.approx(1)


def test_a_gene_that_one_design_lacks_is_at_distance_1_and_one_that_both_lack_at_0(
    space: SearchSpace,
) -> None:
    a, b = design(space, kind="a"), design(space, kind="b", momentum=0.0)
    c, c_no = design(space, kind="c", nesterov=True), design(space, kind="c", nesterov=False)
    assert distances(space, a, b)["momentum"] == pytest.approx(1)
    assert distances(space, b, a)["nesterov"] == pytest.approx(1)
    assert distances(space, a, c)["momentum"] == 0
    assert distances(space, c, c_no)["nesterov"] == pytest.approx(1)
    assert distances(space, b, design(space, kind="b", momentum=1.0))["momentum"] == pytest.approx(
        1
    )


def test_what_an_inactive_gene_would_say_does_not_count(space: SearchSpace) -> None:
    numbers = list(design(space, kind="a"))
    names = [gene.name.rpartition(".")[2] for gene in space.genes]
    numbers[names.index("momentum")] = 0.9
    assert not any(distances(space, tuple(numbers), design(space, kind="a")).values())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_distances_of_free_values_are_from_0_to_1(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("values") / "mine.yaml"
    file.write_text(VALUES)
    space = load_space_file(file)
    designs = draws(space, 5, seed)
    found = distances_of(Features(space), designs, designs)
    assert found.shape == (5, 5, len(space.genes))
    np.testing.assert_array_equal(found, found.transpose(1, 0, 2))
    assert (found <= 1 + 1e-12).all()


def test_only_three_or_more_rising_numbers_are_ordered(working_folder: Path) -> None:
    alleles = ["[1, 2, 3]", "[0.1, 1, 2]", "[3, 1, 2]", "[1, 2]", "[a, b, c]", "[1, 2, true]"]
    lines = [f"  gene{index}: {{choice: {each}}}" for index, each in enumerate(alleles)]
    (working_folder / "mine.yaml").write_text("\n".join(["values:", *lines, "  n: {int: [1, 2]}"]))
    genes = load_space("./mine.yaml").genes
    assert [is_ordered(gene) for gene in genes] == [True, True, *[False] * 4, True]


def test_isomorphic_nas_bench_201_designs_have_the_same_words() -> None:
    space = load_space("nas_bench_201")

    def cell(**edges: str) -> Chromosome:
        given = {f"edge_{edge}": "none" for edge in ("01", "02", "12", "03", "13", "23")}
        given |= {f"edge_{key[1:]}": name for key, name in edges.items()}
        return tuple(gene.number(given[gene.name.rpartition(".")[2]]) for gene in space.genes)

    # Two parallel branches that meet in the output, written once each way round.
    one = cell(e01="conv_3x3", e02="conv_1x1", e13="avg_pool_3x3", e23="conv_3x3")
    other = cell(e02="conv_3x3", e01="conv_1x1", e23="avg_pool_3x3", e13="conv_3x3")
    # And what no path leads to is no part of it.
    third = cell(e01="conv_3x3", e02="conv_1x1", e13="avg_pool_3x3", e23="conv_3x3", e12="none")
    unlike = cell(e01="conv_3x3", e02="conv_1x1", e13="conv_3x3", e23="avg_pool_3x3")
    found = distances_of(Features(space), [one], [other, third, unlike])[0]
    bags = len(words(space.decode(one).network))
    assert bags == 2
    np.testing.assert_allclose(found[:2, -bags:], 0, atol=1e-12)
    assert found[0, :-bags].any()
    assert found[2, -1] > 0.1, "the same operations, read by others"
    assert found[2, -2] < 1e-12


def test_words_that_nothing_shares_are_at_distance_2_at_most() -> None:
    space = load_space("nas_bench_201")
    all_of = [tuple(float(number) for _ in space.genes) for number in range(5)]
    found = distances_of(Features(space), all_of, all_of)[:, :, -1]
    assert found.max() <= 2
    assert (found[~np.eye(5, dtype=bool)] > 0.1).all()
