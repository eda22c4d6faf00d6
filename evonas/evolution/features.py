"""Designs as a surrogate sees them: how far two are apart, column by column.

A column for each gene, and one for each bag of words of the network that the design stands for
(`networks.words`). All are squared distances, as the Gaussian process asks for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from evonas.networks import words
from evonas.space.gene import Choice, Gene
from evonas.space.search_space import SearchSpace
from evonas.trial import Chromosome

Array = NDArray[np.float64]
REMEMBERED = 1 << 16  # designs


@dataclass(frozen=True)
class _Design:
    numbers: Array  # of the genes
    active: NDArray[np.bool_]
    bags: Sequence[Mapping[str, int]]


class Features:
    """Reads designs of one space, and remembers what it has read."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        ends = np.array([_ends(gene) for gene in space.genes]).reshape(-1, 2)
        self._span = np.where(ends[:, 1] > ends[:, 0], ends[:, 1] - ends[:, 0], 1.0)
        self._ordered = np.array([is_ordered(gene) for gene in space.genes], dtype=bool)
        self._read = lru_cache(REMEMBERED)(self._read_one)

    def _read_one(self, chromosome: Chromosome) -> _Design:
        network = self.space.peek(chromosome).network
        active = np.array(self.space.activity(chromosome), dtype=bool)
        return _Design(np.array(chromosome), active, words(network))

    def distances(self, first: Sequence[Chromosome], second: Sequence[Chromosome]) -> Array:
        """(first, second, columns) of values from 0 to 2."""
        one, other = ([self._read(c) for c in group] for group in (first, second))
        columns = [self._of_genes(one, other)]
        for index in range(len(other[0].bags)):
            bags = ([design.bags[index] for design in group] for group in (one, other))
            columns.append(_of_bags(*bags)[:, :, None])
        return np.concatenate(columns, axis=2)

    def _of_genes(self, first: Sequence[_Design], second: Sequence[_Design]) -> Array:
        own, other = (np.array([design.numbers for design in group]) for group in (first, second))
        step = (own[:, None] - other[None, :]) / self._span
        # Chords of a sixth of a circle around the inactive: squared steps of a line lie nowhere
        # at distance 1 from one point, and the process fails (as in arXiv 1310.5738).
        distance = np.where(self._ordered, 2 - 2 * np.cos(np.pi / 3 * step), step != 0)
        is_on, are_on = (np.array([d.active for d in group]) for group in (first, second))
        distance[is_on[:, None] != are_on[None, :]] = 1.0
        distance[~is_on[:, None] & ~are_on[None, :]] = 0.0
        result: Array = distance
        return result


def is_ordered(gene: Gene) -> bool:
    """True if nearby numbers of the gene mean nearby alleles."""
    if not isinstance(gene, Choice):
        return True
    numbers = [a for a in gene.alleles if isinstance(a, int | float) and not isinstance(a, bool)]
    return len(numbers) == len(gene.alleles) > 2 and numbers == sorted(numbers)


def _ends(gene: Gene) -> tuple[float, float]:
    numbers = [gene.number(allele) for allele in gene.extremes]
    return min(numbers), max(numbers)


def _of_bags(first: Sequence[Mapping[str, int]], second: Sequence[Mapping[str, int]]) -> Array:
    """Squared distance of the bags as vectors of length 1: 2 - 2 cos."""
    places = {word: place for place, word in enumerate(sorted({w for bag in second for w in bag}))}
    # Products of counts are whole numbers, so no order of summation changes them.
    common = _counts(first, places) @ _counts(second, places).T
    own, other = (np.sqrt([sum(n * n for n in bag.values()) for bag in b]) for b in (first, second))
    cosine = common / np.maximum(np.outer(own, other), 1e-12)
    distance: Array = np.maximum(2 - 2 * cosine, 0)
    return distance


def _counts(bags: Sequence[Mapping[str, int]], places: Mapping[str, int]) -> Array:
    counts = np.zeros((len(bags), len(places)))
    for row, bag in enumerate(bags):
        for word, number in bag.items():
            if word in places:
                counts[row, places[word]] = number
    return counts
