"""Designs spread over a space: what a search begins with."""

import numpy as np
from numpy.typing import NDArray

from evonas.evolution.features import is_ordered
from evonas.space.gene import Gene
from evonas.space.search_space import Chromosome, SearchSpace

DRAWS = 31

Array = NDArray[np.float64]


def spread_designs(space: SearchSpace, count: int, rng: np.random.Generator) -> list[Chromosome]:
    """So many canonical designs, far from each other.

    Of several Latin hypercubes (McKay et al. 1979), in which each gene's values are spread
    evenly, that whose closest pair is farthest apart (Morris and Mitchell 1995, section 2).
    """
    if not space.genes:
        return [space.canonical(())]
    draws = [_latin(space, count, rng) for _ in range(DRAWS)]
    best = max(draws, key=lambda numbers: _closeness(space, numbers))
    return [space.canonical(row) for row in best.tolist()]


def _latin(space: SearchSpace, count: int, rng: np.random.Generator) -> Array:
    """(designs, genes) of numbers, one in each count-th of every gene's range."""
    strata = np.stack([rng.permutation(count) for _ in space.genes], axis=1)
    shares = (strata + rng.random(strata.shape)) / count
    columns = [_at(gene, column) for gene, column in zip(space.genes, shares.T, strict=True)]
    return np.stack(columns, axis=1)


def _at(gene: Gene, shares: Array) -> Array:
    """The gene's numbers at these shares of its range."""
    numbers = gene.pygad_space()
    if isinstance(numbers, dict):
        return np.asarray(numbers["low"] + shares * (numbers["high"] - numbers["low"]))
    places = np.minimum(shares * len(numbers), len(numbers) - 1).astype(int)
    return np.asarray(numbers[0] + places, dtype=float)


def _closeness(space: SearchSpace, numbers: Array) -> tuple[float, float]:
    """Larger for designs that lie farther apart: their closest pair, then all pairs."""
    ordered = np.array([is_ordered(gene) for gene in space.genes])
    span = np.maximum(np.ptp(numbers, axis=0), 1e-12)
    step = np.abs(numbers[:, None] - numbers[None, :])
    distance = np.where(ordered, step / span, step != 0).sum(-1)
    pairs = distance[np.triu_indices(len(numbers), 1)]
    return float(pairs.min(initial=np.inf)), -float((1 / (pairs + 0.1)).sum())
