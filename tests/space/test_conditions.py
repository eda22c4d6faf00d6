"""Genes that no design can have are found, and no others."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.space.conditions import contradictions
from evonas.space.gene import Allele, Choice, is_one_of

ALLELES = (0, 1, True)


def gene(name: str, *when: tuple[str, tuple[Allele, ...]]) -> Choice:
    return Choice(name=name, key_path=(name,), when=when, alleles=ALLELES)


@st.composite
def conditional_genes(draw: st.DrawFn) -> list[Choice]:
    """Up to five genes, each active for some alleles of some earlier ones."""
    genes: list[Choice] = []
    wanted = st.lists(st.sampled_from(ALLELES), min_size=1, max_size=2)
    for index in range(draw(st.integers(1, 5))):
        named = draw(st.lists(st.sampled_from(genes), max_size=3)) if genes else []
        when = [(other.name, tuple(draw(wanted))) for other in named]
        genes.append(gene(f"g{index}", *when))
    return genes


def ever_active(genes: list[Choice]) -> set[str]:
    """What trying all combinations of alleles finds."""
    found: set[str] = set()
    for combination in itertools.product(ALLELES, repeat=len(genes)):
        alleles: dict[str, Allele] = {}
        for own, allele in zip(genes, combination, strict=True):
            if all(o in alleles and is_one_of(alleles[o], wanted) for o, wanted in own.when):
                alleles[own.name] = allele
        found |= alleles.keys()
    return found


@settings(deadline=None, derandomize=True, max_examples=150)
@given(conditional_genes())
def test_finds_the_first_gene_of_each_chain_that_is_never_active(genes: list[Choice]) -> None:
    never = {own.name for own in genes} - ever_active(genes)
    first = {
        own.name
        for own in genes
        if own.name in never and not any(other in never for other, _ in own.when)
    }
    assert {own.name for own, _ in contradictions(genes)} == first


def test_names_the_two_demands_that_exclude_each_other() -> None:
    genes = [
        gene("top"),
        gene("free", ("top", (0, 1))),
        gene("left", ("top", (0,))),
        gene("right", ("top", (True, 1)), ("free", (0,)), ("left", (1,))),
        gene("far", ("right", (0,))),
    ]
    ((found, demands),) = contradictions(genes)
    assert found.name == "right"
    assert [(own.name, other, wanted) for own, other, wanted in demands] == [
        ("left", "top", (0,)),
        ("right", "top", (True, 1)),
    ]


def test_names_all_demands_that_exclude_each_other_only_together() -> None:
    genes = [
        gene("top"),
        gene("a", ("top", (0, 1))),
        gene("b", ("top", (1, True))),
        gene("c", ("top", (True, 0)), ("a", (0,)), ("b", (0,))),
    ]
    ((found, demands),) = contradictions(genes)
    assert found.name == "c"
    assert {own.name for own, *_ in demands} == {"a", "b", "c"}
