"""Conditions that no design can meet."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from evonas.space.gene import Allele, Gene, is_one_of

Demand = tuple[Gene, str, tuple[Allele, ...]]  # who asks which gene for which alleles


def contradictions(genes: Iterable[Gene]) -> Iterator[tuple[Gene, Sequence[Demand]]]:
    """The genes that can never be active, each with the demands that exclude each other.

    A gene demands what its condition says, and all that the genes named there demand: they have
    to be active too. Genes that only wait for one that was given already are left out.

    Args:
        genes: Ordered, each after those that its condition names.
    """
    needed: dict[str, dict[str, Gene]] = {}  # a gene with all that have to be active for it
    never: set[str] = set()
    for gene in genes:
        others = [other for other, _ in gene.when]
        chain = {name: link for other in others for name, link in needed[other].items()}
        needed[gene.name] = {**chain, gene.name: gene}
        clash = _clash(needed[gene.name].values())
        if clash:
            if never.isdisjoint(others):
                yield gene, clash
            never.add(gene.name)


def _clash(genes: Iterable[Gene]) -> Sequence[Demand]:
    """Two demands on one gene that exclude each other, or more that only do so together."""
    demands: dict[str, list[Demand]] = {}
    for gene in genes:
        for other, wanted in gene.when:
            demands.setdefault(other, []).append((gene, other, wanted))
    for group in demands.values():
        for some in (*combinations(group, 2), group):
            if not any(all(is_one_of(a, wanted) for *_, wanted in some) for a in some[0][2]):
                return some
    return ()
