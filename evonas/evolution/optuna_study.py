"""A history as an Optuna study. Imports Optuna: loaded only when a proposal is asked of it."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from evonas.space.gene import LISTED, Allele, Choice, Gene, Int
from evonas.space.search_space import SearchSpace
from evonas.trial import Chromosome, Finished

# From a population and a seed; all else is Optuna's default.
SAMPLERS: Mapping[str, Callable[[int, int], BaseSampler]] = {
    "gp": lambda population, seed: GPSampler(seed=seed),
    "nsga2": lambda population, seed: NSGAIISampler(population_size=population, seed=seed),
    "tpe": lambda population, seed: TPESampler(seed=seed),
}


class Replay:
    """A study that follows a history: extended while the history grows, else made anew.

    A finished trial never changes and those in flight are struck out after each proposal, so
    that the study is the same however often it was asked in between.
    """

    def __init__(self, space: SearchSpace, sampler: str, population: int) -> None:
        self.sampler = sampler
        self.population = population
        self.distributions = {gene.name: distribution(gene) for gene in space.genes}
        self._clear(0)

    def ask(
        self,
        finished: Sequence[Finished],
        in_flight: Sequence[Chromosome],
        seeds: Sequence[int],
        claim: Callable[[Chromosome], Chromosome | None],
    ) -> Chromosome | None:
        """The first claimed of the designs that samplers of these seeds ask for."""
        with _quiet():
            self._follow(finished)
            try:
                for chromosome in in_flight:
                    self._study(0).add_trial(self._trial(chromosome, TrialState.RUNNING))
                asked = (self._asked(seed) for seed in seeds)
                return next((own for raw in asked if (own := claim(raw)) is not None), None)
            finally:
                self.storage.strike(self._study(0), len(self.finished))

    def _asked(self, seed: int) -> Chromosome:
        params = self._study(seed).ask(self.distributions).params
        return tuple(float(params[name]) for name in self.distributions)

    def _follow(self, finished: Sequence[Finished]) -> None:
        objectives = next((len(done.fitness) for done in finished if done.fitness), 0)
        known = len(self.finished)
        if objectives != self.objectives or list(islice(finished, known)) != self.finished:
            self._clear(objectives)
        for done in islice(finished, len(self.finished), None):
            self._add(done)

    def _clear(self, objectives: int) -> None:
        self.objectives = objectives
        self.finished: list[Finished] = []
        self.alive = 0
        self.storage = _Storage()
        with _quiet():
            self.storage.create_new_study([StudyDirection.MAXIMIZE] * max(1, objectives), "study")

    def _add(self, done: Finished) -> None:
        study = self._study(0)
        if done.fitness is None:
            study.add_trial(self._trial(done.chromosome, TrialState.FAIL))
        else:
            study.add_trial(self._complete(done, self.alive // self.population))
            self.alive += 1
            if self.alive % self.population == 0 and isinstance(study.sampler, NSGAIISampler):
                # Chosen now, else each generation would call for the one before, ever deeper.
                study.sampler.get_parent_population(study, self.alive // self.population)
        self.finished.append(done)

    def _complete(self, done: Finished, generation: int) -> FrozenTrial:
        """A trial as NSGA-II would have left it: P in the order they finished are a generation."""
        return create_trial(
            state=TrialState.COMPLETE,
            values=done.fitness,
            params=self._params(done.chromosome),
            distributions=self.distributions,
            system_attrs={NSGAIISampler._get_generation_key(): generation},
        )

    def _trial(self, chromosome: Chromosome, state: TrialState) -> FrozenTrial:
        params = self._params(chromosome)
        return create_trial(state=state, params=params, distributions=self.distributions)

    def _params(self, chromosome: Chromosome) -> dict[str, float]:
        pairs = zip(self.distributions.items(), chromosome, strict=True)
        return {
            name: number if isinstance(own, FloatDistribution) else int(number)
            for (name, own), number in pairs
        }

    def _study(self, seed: int) -> Study:
        """The study with a new sampler; new as well since a study object has a cache of trials."""
        sampler = SAMPLERS[self.sampler](self.population, seed)
        return Study(study_name="study", storage=self.storage, sampler=sampler)


class _Categorical(CategoricalDistribution):
    """Equal to itself at once: samplers compare those of all trials, and all have the same."""

    def __eq__(self, other: object) -> bool:
        return self is other or super().__eq__(other)

    __hash__ = CategoricalDistribution.__hash__


class _Storage(InMemoryStorage):
    """Optuna's storage in memory, whose latest trials can be struck out."""

    def strike(self, study: Study, kept: int) -> None:
        """Forgets all trials of the only study but the first so many."""
        trials = self._studies[study._study_id].trials
        for trial in trials[kept:]:
            del self._trial_id_to_study_id_and_number[trial._trial_id]
        del trials[kept:]
        self._max_trial_id = kept - 1


def distribution(gene: Gene) -> BaseDistribution:
    """A gene's numbers in Optuna's words: a choice has an order if its alleles are sorted numbers.

    Log genes are even in the logarithm already, for that is their number.
    """
    if isinstance(gene, Choice):
        last = len(gene.alleles) - 1
        if _are_sorted_numbers(gene.alleles):
            return IntDistribution(0, last)
        return _Categorical(range(last + 1))
    if isinstance(gene, Int):
        is_wide = gene.size > LISTED  # a Gaussian process of Optuna's lists what has steps
        return (FloatDistribution if is_wide else IntDistribution)(gene.low, gene.high)
    ends = gene.pygad_space()
    assert isinstance(ends, dict), "what is neither is a range of real numbers"
    return FloatDistribution(ends["low"], ends["high"])


def _are_sorted_numbers(alleles: Sequence[Allele]) -> bool:
    numbers = [own for own in alleles if isinstance(own, int | float) and not isinstance(own, bool)]
    ascending = sorted(numbers)
    return len(numbers) == len(alleles) and numbers in (ascending, ascending[::-1])


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna says nothing within: what it has to say concerns its own interface."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)
