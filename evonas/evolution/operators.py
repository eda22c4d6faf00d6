"""PyGAD's selections, crossovers and mutations as functions of a population that we keep.

`pygad.GA` is held as a toolkit: it has the gene spaces, the operators and the generators, and
its `run()` is never called, which evaluates again, cannot resume exactly and waits for whole
generations.
"""

import copy
import logging
import math
import random
from collections.abc import Sequence
from functools import cached_property, lru_cache
from types import MethodType
from typing import Any

import numpy as np
import pygad
from numpy.typing import NDArray

from evonas.pareto import Fitness, best_first, ranks
from evonas.settings import EvolverSettings
from evonas.space.gene import LISTED, Choice, Gene
from evonas.space.search_space import SearchSpace

Chromosomes = NDArray[np.float64]  # (individuals, genes)
Indices = NDArray[np.int64]

# PyGAD logs to a logger of its own; ours keeps silent.
_SILENT = logging.getLogger("evonas.pygad")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False

NSGA = ("nsga2", "tournament_nsga2", "nsga3", "tournament_nsga3")
NSGA3 = ("nsga3", "tournament_nsga3")
WHEELS = ("rws", "sus")
BEST_ONLY = ("sss", "nsga2", "nsga3")  # no draws: a population's best are always the parents
PERMUTATIONS = ("swap", "inversion", "scramble")

MOVE = 0.1  # of a real gene's range, up to which it moves without mutation_by_replacement


class FastGA(pygad.GA):  # type: ignore[misc]
    """pygad.GA with faster sorting and comparing: the same fronts and children.

    A non-dominated sort takes a hundredth of the time, a polynomial mutation a tenth.
    """

    def non_dominated_sorting(self, fitness: NDArray[Any]) -> tuple[list[Any], Indices]:
        """Fronts as PyGAD wants them, rows (index, fitness), and the front of each individual."""
        fronts, rank = _sorted(*_as_key(fitness))
        return list(fronts), rank

    def crowding_distance(self, pareto_front: Any, fitness: NDArray[Any]) -> tuple[Any, ...]:
        """The same; each competition in a front asks for it."""
        return _crowding(tuple(pareto_front[:, 0]), *_as_key(fitness))

    def prepare_changed_operator_solution(
        self, original_solution: Any, proposed_solution: Any, build_initial_pop: bool = False
    ) -> Any:
        """The changed solution if each gene is in its space, else None.

        PyGAD asks gene by gene, in milliseconds; here all genes with plain spaces are compared at
        once.
        """
        plain = self._plain_spaces
        if plain is None:
            return super().prepare_changed_operator_solution(
                original_solution, proposed_solution, build_initial_pop
            )
        candidate = np.array(proposed_solution, dtype=float)
        if not plain.hold(candidate):
            return None
        for index in plain.others:
            value = candidate[index]
            is_inside = (
                self.is_bounded_operator_gene_value_in_space(index, value)
                if build_initial_pop
                else self.is_gene_value_in_space(index, value, original_solution[index])
            )
            if not is_inside:
                return None
        return candidate

    def get_bounded_operator_gene_range(self, gene_index: int) -> tuple[float, float]:
        """Smallest and largest number of a gene."""
        plain = self._plain_spaces
        if plain is None or not plain.whole[gene_index]:
            low, high = super().get_bounded_operator_gene_range(gene_index)
            return low, high
        return float(plain.low[gene_index]), float(plain.high[gene_index]) - 1

    def convert_bounded_operator_gene_value(self, gene_index: int, value: float) -> float:
        """The nearest number that the gene can have; of two the smaller."""
        plain = self._plain_spaces
        if plain is None or not plain.whole[gene_index]:
            return float(super().convert_bounded_operator_gene_value(gene_index, value))
        low, high = self.get_bounded_operator_gene_range(gene_index)
        return min(max(float(math.ceil(value - 0.5)), low), high)

    @cached_property
    def _plain_spaces(self) -> "_PlainSpaces | None":
        """The spaces as arrays, None for a GA that is not set up as `pygad_parameters` says."""
        is_plain = self.gene_type == [float, None] and self.gene_space_nested
        is_free = self.allow_duplicate_genes and not self.gene_constraint
        return _PlainSpaces(self.gene_space) if is_plain and is_free else None


def _as_key(fitness: NDArray[Any]) -> tuple[bytes, tuple[int, ...]]:
    values = np.asarray(fitness, dtype=float)
    return values.tobytes(), values.shape


# A population stays the same over many tries and proposals: what follows from it is kept.
@lru_cache(maxsize=4)
def _sorted(values: bytes, shape: tuple[int, ...]) -> tuple[list[Any], Indices]:
    """Fronts of rows (index, fitness), and the front of each individual."""
    fitness = np.frombuffer(values).reshape(shape)
    rank = ranks(fitness)
    rank.flags.writeable = False
    levels = (np.flatnonzero(rank == level).tolist() for level in range(rank.max() + 1))
    return [_front(level, fitness) for level in levels], rank


@lru_cache(maxsize=64)
def _crowding(front: tuple[int, ...], values: bytes, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """See `pygad.GA.crowding_distance`."""
    fitness = np.frombuffer(values).reshape(shape)
    found: tuple[Any, ...] = pygad.GA.crowding_distance(None, _front(front, fitness), fitness)
    return found


def _front(members: Sequence[int], fitness: Fitness) -> NDArray[Any]:
    """Rows (index, fitness)."""
    rows = np.empty((len(members), 2), dtype=object)
    for row, index in enumerate(members):
        rows[row, 0], rows[row, 1] = index, fitness[index]
    return rows


class _PlainSpaces:
    """Gene spaces that are whole numbers without a gap or a range of reals; others by index."""

    def __init__(self, spaces: Sequence[Any]) -> None:
        self.low = np.full(len(spaces), -np.inf)
        self.high = np.full(len(spaces), np.inf)
        self.whole = np.zeros(len(spaces), dtype=bool)
        self.others: list[int] = []
        for index, space in enumerate(spaces):
            if isinstance(space, dict) and space.keys() == {"low", "high"}:
                self.low[index], self.high[index] = space["low"], space["high"]
            elif isinstance(space, range) or _has_no_gap(space):
                self.low[index], self.high[index] = space[0], space[-1] + 1
                self.whole[index] = True
            else:
                self.others.append(index)

    def hold(self, values: NDArray[np.float64]) -> bool:
        """True if each value is in its space, the high end of reals not included."""
        inside = (self.low <= values) & (values < self.high)
        return bool((inside & (~self.whole | (values == np.floor(values)))).all())


def _has_no_gap(space: Any) -> bool:
    return isinstance(space, list) and space == list(range(space[0], space[-1] + 1))


class Operators:
    """Selection, crossover and mutation as the settings say; all randomness is from `rng`.

    Children may leave the space: who proposes them makes them canonical. An instance is cheap,
    what does not depend on `rng` is kept from the last one.
    """

    def __init__(
        self, settings: EvolverSettings, space: SearchSpace, rng: np.random.Generator
    ) -> None:
        self.settings = settings
        self.space = space
        self.ga = _copy(_toolkit(settings, space.fingerprint, space.genes))
        seed = int(rng.integers(2**32))
        self.ga.numpy_random_generator = np.random.RandomState(seed)
        self.ga.python_random_generator = random.Random(seed)

    @cached_property
    def blocks(self) -> Indices:
        """The block of each gene."""
        return blocks_of(self.space.genes)

    def select(self, population: Chromosomes, fitness: Fitness, count: int) -> Indices:
        """Indices `(count,)` of parents; `fitness` is `(individuals, objectives)`, larger better.

        `BEST_ONLY` selections give each of the best once, and begin again after the last. Two of
        them are always the same two: take a pool of half the population and pair its members.
        """
        ga, individuals = self.ga, len(population)
        ga.population = population
        ga.sol_per_pop = individuals
        ga.K_tournament = min(self.settings.tournament, individuals)
        if self.settings.selection in NSGA3:
            divisions = nsga3_divisions(self.settings, fitness.shape[1])
            ga.nsga3_reference_points = _reference_points(fitness.shape[1], divisions)
        given = _selectable(fitness, self.settings.selection)
        if self.settings.selection not in BEST_ONLY:
            return np.asarray(ga.select_parents(given, count)[1], dtype=np.int64)
        _, best = ga.select_parents(given, min(count, individuals))
        return np.resize(np.asarray(best, dtype=np.int64), count)

    def cross(self, parents: Chromosomes, count: int) -> Chromosomes:
        """Children `(count, genes)`: the k-th is of the parents k and k + 1, modulo their number.

        With `crossover_probability` p, each parent is a candidate with p, and two candidates mate
        or parent k is copied. Without crossover parent k is copied.
        """
        if self.settings.crossover == "none":
            return parents[np.arange(count) % len(parents)]
        if not self.settings.block_crossover:
            return self._cross(parents, count)
        # Crossover of chromosomes that have a gene for each block, which says whose it is.
        blocks = int(self.blocks.max()) + 1
        owners = np.repeat(np.arange(len(parents), dtype=float)[:, None], blocks, axis=1)
        owner = self._cross(owners, count)[:, self.blocks].astype(int)
        return np.asarray(parents[owner, np.arange(parents.shape[1])])

    def mutate(
        self,
        children: Chromosomes,
        genes: int | None = None,
        bad: NDArray[np.bool_] | None = None,
    ) -> Chromosomes:
        """The children, mutated copies.

        Permutations (swap, inversion, scramble) leave a child as it is where no try brings each
        allele to a gene that can have it: a half or more of them in spaces of unlike genes.

        Args:
            genes: How many genes of each, in place of what the settings say.
            bad: Which children have bad parents. Adaptive mutation changes more of their genes
                (Marsili Libelli & Alba, Adaptive mutation in genetic algorithms, Soft Computing
                4, 2000: a probability that depends on the fitness).
        """
        settings = self.settings
        mutated = children.copy()
        if settings.mutation == "none":
            return mutated
        if settings.mutation != "adaptive" or bad is None or genes is not None:
            return self._mutate(mutated, genes)
        for which, number in ((bad, settings.mutation_genes_bad), (~bad, settings.mutation_genes)):
            if which.any():
                mutated[which] = self._mutate(mutated[which], number)
        return mutated

    def is_bad(self, fitness: Fitness) -> NDArray[np.bool_]:
        """Which individuals have a rank above the mean of the population's (0 is the best)."""
        rank = ranks(fitness)
        return np.asarray(rank > rank.mean())

    def _cross(self, parents: Chromosomes, count: int) -> Chromosomes:
        size = (count, parents.shape[1])
        return np.asarray(self.ga.crossover(parents, offspring_size=size), dtype=float)

    def _mutate(self, children: Chromosomes, genes: int | None) -> Chromosomes:
        ga = self.ga
        usual = ga.mutation_num_genes, ga.mutation_probability
        if genes is not None:
            ga.mutation_num_genes, ga.mutation_probability = min(genes, ga.num_genes), None
        children = np.asarray(ga.mutation(children), dtype=float)
        ga.mutation_num_genes, ga.mutation_probability = usual
        return children


def pygad_parameters(settings: EvolverSettings, genes: Sequence[Gene]) -> dict[str, Any]:
    """Arguments of `pygad.GA`: gene spaces and operators."""
    lows, highs = zip(*(_ends(gene) for gene in genes), strict=True)
    moves = [MOVE * (high - low) for low, high in zip(lows, highs, strict=True)]
    mutation = "random" if settings.mutation == "adaptive" else settings.mutation
    parameters: dict[str, Any] = {
        "gene_space": [_gene_space(settings, gene) for gene in genes],
        "gene_type": float,
        "gene_categorical": [is_categorical(gene) for gene in genes],
        "init_range_low": list(lows),
        "init_range_high": list(highs),
        "random_mutation_min_val": [-move for move in moves],
        "random_mutation_max_val": moves,
        "parent_selection_type": settings.selection,
        "K_tournament": settings.tournament,
        "crossover_type": None if settings.crossover == "none" else settings.crossover,
        "crossover_probability": settings.crossover_probability,
        "mutation_type": None if mutation == "none" else mutation,
        "mutation_by_replacement": settings.mutation_by_replacement,
        "suppress_warnings": True,
        "logger": _SILENT,
    }
    if settings.mutation_probability is None:
        parameters["mutation_num_genes"] = min(settings.mutation_genes, len(genes))
    else:
        parameters["mutation_probability"] = settings.mutation_probability
    if settings.selection in NSGA3:
        parameters["nsga3_num_divisions"] = settings.nsga3_divisions or 1
    return parameters


def blocks_of(genes: Sequence[Gene]) -> Indices:
    """The block `(genes,)` of each gene, counted from 0 in the order of the genes.

    Genes of one block share their place up to the last list index in it, as all of
    `network.stages.2` do; a gene in no list is a block of its own.
    """
    numbers: dict[tuple[str | int, ...], int] = {}
    places = []
    for gene in genes:
        inside = [depth for depth, key in enumerate(gene.key_path) if isinstance(key, int)]
        place = gene.key_path[: inside[-1] + 1] if inside else gene.key_path
        places.append(numbers.setdefault(place, len(numbers)))
    return np.array(places, dtype=np.int64)


def is_categorical(gene: Gene) -> bool:
    """True if the gene's alleles have no order: words, true or false, none."""
    return isinstance(gene, Choice) and any(
        isinstance(allele, bool) or not isinstance(allele, int | float) for allele in gene.alleles
    )


def nsga3_divisions(settings: EvolverSettings, objectives: int) -> int:
    """Divisions of each objective's axis: as set, or the most that the population can serve.

    p divisions make C(objectives + p - 1, p) reference points (NSGA-III, Deb & Jain, IEEE
    Transactions on Evolutionary Computation 18(4), 2014, equation 3).
    """
    if settings.nsga3_divisions is not None:
        return settings.nsga3_divisions
    if objectives == 1:
        return 1
    divisions = 1
    while reference_points(objectives, divisions + 1) <= settings.population:
        divisions += 1
    return divisions


def reference_points(objectives: int, divisions: int) -> int:
    """How many reference points there are: the equation of `nsga3_divisions`.

    >>> reference_points(3, 12)
    91
    """
    return math.comb(objectives + divisions - 1, divisions)


def mating(settings: EvolverSettings) -> int:
    """How many parents `pygad_run` selects in each generation: half the population."""
    return settings.population // 2


@lru_cache(maxsize=32)
def _toolkit(settings: EvolverSettings, fingerprint: str, genes: tuple[Gene, ...]) -> FastGA:
    """A GA whose generators and population are yet to come.

    The fingerprint tells genes apart that Python calls equal: 0 and 1 from false and true.
    """
    parameters = pygad_parameters(settings, genes)
    parameters["gene_space"] = [_closed(space) for space in parameters["gene_space"]]
    toolkit = FastGA(
        **parameters,
        num_generations=1,
        num_parents_mating=2,
        fitness_func=never_called,
        sol_per_pop=2,
        num_genes=len(genes),
        keep_elitism=0,
        keep_parents=0,
        random_seed=0,
    )
    _ = toolkit._plain_spaces  # made once, then every copy has it
    return toolkit


def _copy(toolkit: FastGA) -> Any:
    """A GA that shares nothing that changes: its operators are its own methods."""
    ga = copy.copy(toolkit)
    for name in ("select_parents", "crossover", "mutation"):
        method = getattr(toolkit, name)
        setattr(ga, name, method and MethodType(method.__func__, ga))
    return ga


@lru_cache(maxsize=32)
def _reference_points(objectives: int, divisions: int) -> NDArray[np.float64]:
    ga = FastGA.__new__(FastGA)  # the points depend on nothing of it
    return np.asarray(ga.nsga3_generate_reference_points(objectives, divisions))


def _gene_space(
    settings: EvolverSettings, gene: Gene
) -> list[int] | range | dict[str, float] | None:
    """PyGAD moves only genes without a space; with one it always draws anew."""
    if settings.mutation_by_replacement or math.isfinite(gene.size):
        space = gene.pygad_space()
        # PyGAD draws from all numbers of a list, and of a range first a sample of them.
        return list(space) if isinstance(space, range) and len(space) <= LISTED else space
    return None


def _closed(space: Any) -> Any:
    """The space with its high end, which PyGAD leaves out and a canonical chromosome may have."""
    if not isinstance(space, dict):
        return space
    return {**space, "high": math.nextafter(space["high"], math.inf)}


def _ends(gene: Gene) -> tuple[float, float]:
    space = gene.pygad_space()
    return (space["low"], space["high"]) if isinstance(space, dict) else (space[0], space[-1])


def _selectable(fitness: Fitness, selection: str) -> NDArray[np.float64]:
    """What PyGAD's selection shall see.

    Selections for one objective see a place in the NSGA-II order if there are several: the best
    has the largest. A wheel cannot turn if all are zero.
    """
    if selection in NSGA:
        return fitness
    if fitness.shape[1] > 1:
        places = np.empty(len(fitness))
        places[best_first(fitness)] = np.arange(len(fitness), 0, -1)
        return places
    only = fitness[:, 0]
    return only if only.any() or selection not in WHEELS else np.ones(len(only))


def never_called(ga: Any, solution: Any, index: Any) -> float:
    """In place of a fitness function."""
    raise AssertionError("PyGAD must not evaluate: evonas does")
