"""Designs as a surrogate sees them: vectors, and how far two are apart, column by column.

A column for each gene, and one for each bag of words of the network that the design stands for
(`networks.words`). All are squared distances of vectors, as the Gaussian process asks for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from evonas.networks import words
from evonas.space.gene import Choice, Gene
from evonas.space.search_space import SearchSpace
from evonas.trial import Chromosome

Array = NDArray[np.float64]
REMEMBERED = 1 << 16  # designs


@dataclass(frozen=True)
class Vectors:
    """Designs as rows: of `genes` a block of columns for each gene, of each bag word counts."""

    genes: Array
    bags: tuple[csr_array, ...]

    @cached_property
    def lengths(self) -> tuple[Array, ...]:
        """Of each bag as a vector, in each design."""
        return tuple(np.sqrt((bag * bag).sum(1)) for bag in self.bags)


@dataclass(frozen=True)
class _Design:
    numbers: Array  # of the genes
    active: NDArray[np.bool_]
    bags: Sequence[Mapping[int, int]]  # how often each word occurs, words by their number


class Features:
    """Reads designs of one space, and remembers what it has read."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        ordered = [is_ordered(gene) for gene in space.genes]
        self._ordered, self._named = np.flatnonzero(ordered), np.flatnonzero(np.invert(ordered))
        limits = np.array([ends(gene) for gene in space.genes]).reshape(-1, 2)
        self._low = limits[:, 0]
        self._span = np.where(limits[:, 1] > limits[:, 0], limits[:, 1] - limits[:, 0], 1.0)
        # Ordered genes have two columns, others one for each allele and one for "inactive".
        self._widths = np.where(ordered, 2, self._span + 2).astype(int)
        self._starts = np.cumsum([0, *self._widths])
        self._words: dict[str, int] = {}
        self._read = lru_cache(REMEMBERED)(self._read_one)

    def _read_one(self, chromosome: Chromosome) -> _Design:
        network = self.space.peek(chromosome).network
        active = np.array(self.space.activity(chromosome), dtype=bool)
        bags = [
            {self._words.setdefault(word, len(self._words)): n for word, n in bag.items()}
            for bag in words(network)
        ]
        return _Design(np.array(chromosome), active, bags)

    def vectors(self, designs: Sequence[Chromosome]) -> Vectors:
        """The designs, in their order; at least one."""
        read = [self._read(design) for design in designs]
        size = (len(read), len(self._words))
        bags = zip(*(design.bags for design in read), strict=True)
        return Vectors(self._of_genes(read), tuple(_counts(bag, size) for bag in bags))

    def _of_genes(self, designs: Sequence[_Design]) -> Array:
        """Ordered genes as points of a sixth of a circle, with the inactive in its middle.

        So each is at distance 1 from the inactive, and the ends of the range are from each other
        (as in arXiv 1310.5738). Alleles without order are the corners of a simplex.
        """
        shape = (len(designs), len(self.space.genes))
        numbers = np.array([design.numbers for design in designs]).reshape(shape)
        active = np.array([design.active for design in designs], dtype=bool).reshape(shape)
        vectors = np.zeros((len(designs), self._starts[-1]))
        angles = (np.pi / 3 * (numbers - self._low) / self._span)[:, self._ordered]
        starts = self._starts[self._ordered]
        vectors[:, starts] = np.cos(angles) * active[:, self._ordered]
        vectors[:, starts + 1] = np.sin(angles) * active[:, self._ordered]
        inactive = self._widths - 1
        places = np.where(active, numbers - self._low, inactive)[:, self._named].astype(int)
        rows = np.arange(len(designs))[:, None]
        vectors[rows, self._starts[self._named] + places] = np.sqrt(0.5)
        return vectors

    def distances(self, first: Vectors, second: Vectors) -> Array:
        """(first, second, columns) of values from 0 to 2."""
        blocks = (slice(a, b) for a, b in zip(self._starts, self._starts[1:], strict=False))
        genes = [_squared(first.genes[:, block], second.genes[:, block]) for block in blocks]
        return np.stack([*genes, *_of_bags(first, second)], axis=2)

    def weighted(self, first: Vectors, second: Vectors, weights: Sequence[Array]) -> list[Array]:
        """`distances @ each` for each of the weights, faster."""
        bags = list(_of_bags(first, second))
        return [self._weighted(first.genes, second.genes, bags, each) for each in weights]

    def _weighted(
        self, first: Array, second: Array, bags: Sequence[Array], weights: Array
    ) -> Array:
        genes = len(self.space.genes)
        scale = np.repeat(np.sqrt(weights[:genes]), self._widths)
        total = _squared(first * scale, second * scale)
        for weight, distance in zip(weights[genes:], bags, strict=True):
            total += weight * distance
        return total


def is_ordered(gene: Gene) -> bool:
    """True if nearby numbers of the gene mean nearby alleles."""
    if not isinstance(gene, Choice):
        return True
    numbers = [a for a in gene.alleles if isinstance(a, int | float) and not isinstance(a, bool)]
    return len(numbers) == len(gene.alleles) > 2 and numbers == sorted(numbers)


def ends(gene: Gene) -> tuple[float, float]:
    """The smallest and the largest number that the gene may have."""
    numbers = [gene.number(allele) for allele in gene.extremes]
    return min(numbers), max(numbers)


def _squared(first: Array, second: Array) -> Array:
    """Squared distances of rows to rows."""
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1)[None, :]
    distance: Array = np.maximum(squares - 2 * first @ second.T, 0)
    return distance


def _counts(bags: Sequence[Mapping[int, int]], shape: tuple[int, int]) -> csr_array:
    starts = np.cumsum([0, *(len(bag) for bag in bags)])
    places = np.array([word for bag in bags for word in bag], dtype=np.int64)
    counts = np.array([count for bag in bags for count in bag.values()], dtype=float)
    return csr_array((counts, places, starts), shape=shape)


def _of_bags(first: Vectors, second: Vectors) -> Iterator[Array]:
    """Squared distances of the bags as vectors of length 1: 2 - 2 cos.

    Products of counts are whole numbers, so no order of summation changes them.
    """
    for index, lengths in enumerate(zip(first.lengths, second.lengths, strict=True)):
        pair = first.bags[index], second.bags[index]
        width = max(bag.shape[1] for bag in pair)  # words that were met later have later numbers
        own, others = (
            csr_array((bag.data, bag.indices, bag.indptr), (bag.shape[0], width)) for bag in pair
        )
        cosine = (own @ others.T).toarray() / np.maximum(np.outer(*lengths), 1e-12)
        yield np.maximum(2 - 2 * cosine, 0)
