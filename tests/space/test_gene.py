import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.space.gene import (
    GENE_KINDS,
    Choice,
    Float,
    Gene,
    Int,
    Log,
    dotted,
    is_gene,
    is_one_of,
    make_choice,
    make_float,
    make_int,
    make_log,
)

PLACE = {"name": "training.g", "key_path": ("training", "g"), "when": ()}
WORDS = Choice(**PLACE, alleles=("none", "identity", True, None))
NUMBERS = Choice(**PLACE, alleles=(3, 5, 0.25))
WHOLE = Int(**PLACE, low=-2, high=4)
REAL = Float(**PLACE, low=-0.5, high=0.75)
POWERS = Log(**PLACE, low=1e-5, high=0.3)
GENES = [WORDS, NUMBERS, WHOLE, REAL, POWERS]

genes = pytest.mark.parametrize("gene", GENES, ids=lambda gene: f"{type(gene).__name__}")
finite = st.floats(allow_nan=False, allow_infinity=False)
property_test = settings(deadline=None, derandomize=True, max_examples=100)


def test_every_kind_is_under_test() -> None:
    assert {type(gene) for gene in GENES} == {cls for cls, _ in GENE_KINDS.values()}


@genes
@property_test
@given(number=finite)
def test_any_number_stands_for_an_allele_that_survives_the_round_trip(
    gene: Gene, number: float
) -> None:
    allele = gene.allele(number)
    assert gene.allele(gene.number(allele)) == allele
    assert gene.number(gene.allele(gene.number(allele))) == gene.number(allele)


@property_test
@given(
    exponents=st.tuples(st.floats(-12, 12), st.floats(-12, 12)).filter(lambda e: e[0] < e[1]),
    share=st.floats(0, 1),
)
def test_a_log_allele_stays_in_its_range_and_survives_the_round_trip(
    exponents: tuple[float, float], share: float
) -> None:
    low, high = (10**exponent for exponent in exponents)
    gene = Log(**PLACE, low=low, high=high)
    allele = gene.allele(exponents[0] + share * (exponents[1] - exponents[0]))
    assert isinstance(allele, float)
    assert low <= allele <= high
    assert gene.allele(gene.number(allele)) == allele


@genes
def test_samples_are_numbers_that_the_gene_itself_would_write(gene: Gene) -> None:
    rng = np.random.default_rng(0)
    numbers = [gene.sample(rng) for _ in range(200)]
    assert numbers == pytest.approx([gene.number(gene.allele(n)) for n in numbers], rel=1e-11)
    assert len(set(numbers)) == min(gene.size, 200)


@genes
def test_pygad_sees_exactly_the_numbers_of_the_alleles(gene: Gene) -> None:
    numbers = gene.pygad_space()
    if isinstance(numbers, dict):
        assert math.isinf(gene.size)
        ends = [numbers["low"], numbers["high"]]
        assert [gene.allele(number) for number in ends] == list(gene.describe().values())[1:]
    else:
        assert len({gene.allele(number) for number in numbers}) == gene.size == len(numbers)
        assert [gene.number(gene.allele(number)) for number in numbers] == list(numbers)


@genes
def test_an_inactive_gene_has_the_first_of_its_numbers(gene: Gene) -> None:
    numbers = gene.pygad_space()
    first = numbers["low"] if isinstance(numbers, dict) else numbers[0]
    assert gene.default_number == first


@pytest.mark.parametrize(
    ("gene", "number", "allele"),
    [
        (WORDS, -7.0, "none"),
        (WORDS, 0.49, "none"),
        (WORDS, 0.5, "identity"),
        (WORDS, 1e300, None),
        (WHOLE, -1e300, -2),
        (WHOLE, 1.5, 2),
        (WHOLE, 99, 4),
        (REAL, 0.1, 0.1),
        (REAL, 5, 0.75),
        (POWERS, -3, 1e-3),
        (POWERS, 7, 0.3),
    ],
)
def test_numbers_mean_the_nearest_allele(gene: Gene, number: float, allele: object) -> None:
    assert gene.allele(number) == allele


@pytest.mark.parametrize(
    ("gene", "allele", "message"),
    [
        (WORDS, "nothing", "nothing is not one of none, identity, True, None"),
        (NUMBERS, 3.0, "3.0 is not one of"),
        (WORDS, 1, "1 is not one of"),
        (WHOLE, 2.0, "2.0 is not a whole number"),
        (WHOLE, True, "True is not a whole number"),
        (WHOLE, 5, "5 is not between -2 and 4"),
        (REAL, 0.8, "0.8 is not between -0.5 and 0.75"),
        (REAL, "much", "much is not a number"),
        (POWERS, 1e-6, "1e-06 is not between 1e-05 and 0.3"),
    ],
)
def test_an_allele_of_another_gene_is_refused(gene: Gene, allele: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        gene.number(allele)  # type: ignore[arg-type]


def test_ends_may_be_written_in_scientific_notation_that_yaml_reads_as_a_word() -> None:
    assert make_log(["1e-4", 1]) == {"low": 1e-4, "high": 1.0}


@pytest.mark.parametrize(
    ("make", "written", "message"),
    [
        (make_choice, "relu", "is not a list of alleles. Write for example"),
        (make_choice, [], "is not a list of alleles"),
        (make_choice, [3, [5]], "is not a plain value"),
        (make_choice, [3, date(2026, 1, 1)], "is not a plain value"),
        (make_choice, [3, float("nan")], "nan is not finite"),
        (make_choice, [3, 5, 3], "has an allele twice"),
        (make_int, [1], r"is not a range. Write \[low, high\]"),
        (make_int, 4, "is not a range"),
        (make_int, [1, 2.5], "are not whole numbers"),
        (make_int, [1, "two"], "are not two numbers"),
        (make_int, [True, 3], "are not two numbers"),
        (make_int, [1, 10**18], "reaches beyond 9007199254740991, the largest whole number"),
        (make_int, [0, 2**53 + 1], "reaches beyond 9007199254740991"),
        (make_int, [-(10**16), 0], "reaches beyond 9007199254740991"),
        (make_float, [-1e308, 1e308], r"reaches beyond 1e\+300"),
        (make_log, [1e-320, 1], "begins below 1e-300"),
        (make_float, [0.5, 0.5], "is empty: the low end must be below the high end"),
        (make_float, [0, float("inf")], "are not two numbers"),
        (make_log, [2, 1], "is empty"),
        (make_log, [0, 1], "has no logarithm. Write a low end above 0"),
    ],
)
def test_what_is_no_range_is_refused_with_the_reason(
    make: object, written: object, message: str
) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=message):
        make(written)


def test_alleles_of_different_types_are_different() -> None:
    values = (1, 1.0, True, "1", 0, False, None, "")
    for own in values:
        assert [value for value in values if is_one_of(value, (own,))] == [own]
        assert is_one_of(own, values)
    assert not is_one_of(object(), values)


@pytest.mark.parametrize("number", [2**53 - 1, 2**52 + 1, 2**52 + 2, -(2**52) - 1, 0])
def test_wide_ranges_have_every_whole_number_and_are_never_listed(number: int) -> None:
    gene = Int(**PLACE, low=-(2**53) + 1, high=2**53 - 1)
    assert gene.allele(gene.number(number)) == number
    assert number in gene.pygad_space()
    assert gene.extremes == [gene.low, gene.low + 1, gene.high - 1, gene.high]


def test_a_gene_is_known_by_its_kind() -> None:
    assert all(is_gene({kind: [1, 2]}) for kind in GENE_KINDS)
    assert not any(is_gene(value) for value in ({}, {"when": {}}, "choice", ["choice"], None))


def test_a_gene_is_called_after_its_place() -> None:
    assert dotted(("network", "stages", 0, "kernel")) == "network.stages.0.kernel"
    assert dotted(()) == "the file"
