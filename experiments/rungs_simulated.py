"""Rungs on landscapes that are made up: what they depend on, in minutes instead of hours.

Each design of `--space` has a true accuracy for each rung, a random function of its genes: an
effect of each allele, and of some pairs of alleles. `--agreement` is how these correlate with that
of the last rung, over random designs, `--spread` their standard deviation, and `--noise` that of
one training. Evolver, records and promotions are those of a real search; searches with rungs and
without are paired by seed and spend as many epochs. `epochs_ratio` and what else is told are as in
`rungs.py`. `true_*` are the means of what the best designs are really worth, and `true_share` is
how much of their epochs the others had spent when those with rungs came to that for good: the best
of many accuracies owes more to luck than the best of few.
"""

import argparse
import math
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from record import parser, report
from rungs import Bests, bests, finite, numbers, of_means, share_of_means
from trainings import Found, Training, added_epochs, best_within

from evonas.driver.loop import trial_seed
from evonas.driver.rungs import Rungs
from evonas.driver.schedules import AsyncSchedule
from evonas.evaluation.objectives import parse_objective
from evonas.evolution import evolver_class
from evonas.evolution.features import ends
from evonas.runs.records import Records
from evonas.settings import EvolverSettings, FidelitySettings, TrainingSettings
from evonas.space import SearchSpace, load_space
from evonas.trial import Chromosome, Outcome, Trial

STREAM = 99  # landscapes and searches of one seed are drawn apart
PAIRS = 40  # of genes that act together
SAMPLE = 300  # designs that a landscape is scaled by

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Landscape:
    """What designs are worth after each rung; all of it follows from the seed."""

    space: SearchSpace
    seed: int
    agreement: tuple[float, ...]
    spread: tuple[float, ...]

    @cached_property
    def _functions(self) -> list[tuple[Array, list[tuple[int, int, Array]]]]:
        """For each rung, effects (genes, alleles) and pairs of genes with theirs."""
        rng = np.random.default_rng([STREAM, self.seed])
        genes, functions = len(self.space.genes), []
        alleles = 1 + max(int(np.ptp(self._ends[gene])) for gene in range(genes))
        for _ in self.spread:
            effects = rng.standard_normal((genes, alleles)) * rng.gamma(1.0, 1.0, (genes, 1))
            picked = rng.integers(genes, size=(PAIRS, 2)).tolist()
            pairs = [(a, b, rng.standard_normal((alleles, alleles))) for a, b in picked]
            functions.append((effects, pairs))
        return functions

    @cached_property
    def _ends(self) -> Array:
        return np.array([ends(gene) for gene in self.space.genes])

    @cached_property
    def _scale(self) -> tuple[Array, Array]:
        """Mean and deviation of the functions over random designs."""
        rng = np.random.default_rng([STREAM, self.seed, 1])
        designs = [self.space.canonical(self.space.sample(rng)) for _ in range(SAMPLE)]
        values = np.array([self._values(design) for design in designs])
        return values.mean(0), values.std(0)

    def _values(self, design: Chromosome) -> Array:
        active = self.space.activity(design)
        alleles = np.rint(np.array(design) - self._ends[:, 0]).astype(int)
        return np.array(
            [
                sum(effects[gene, alleles[gene]] for gene, on in enumerate(active) if on)
                + sum(own[alleles[a], alleles[b]] for a, b, own in pairs if active[a] and active[b])
                for effects, pairs in self._functions
            ]
        )

    def accuracies(self, design: Chromosome) -> Array:
        """After each rung, as differences to what designs have on average."""
        mean, deviation = self._scale
        own = (self._values(design) - mean) / deviation
        agreement = np.array(self.agreement)
        mixed = agreement * own[-1] + np.sqrt(1 - agreement**2) * own
        return np.asarray(mixed * np.array(self.spread))


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--space", default="mobile_cells", help="(%(default)s)")
    words.add_argument("--rungs", default="1,3,9", help="epochs (%(default)s)")
    words.add_argument("--reduction", type=float, default=4, help="(%(default)s)")
    words.add_argument("--agreement", default="0.8,0.9,1", help="of each rung (%(default)s)")
    words.add_argument("--spread", default="0.012,0.013,0.0145", help="(%(default)s)")
    words.add_argument("--noise", default="0.003,0.003,0.003", help="(%(default)s)")
    words.add_argument("--designs", type=int, default=27, help="whole trainings (%(default)s)")
    words.add_argument("--seeds", type=int, default=24, help="pairs of searches (%(default)s)")
    words.add_argument("--workers", type=int, default=2, help="processes (%(default)s)")
    given = words.parse_args()
    with ProcessPoolExecutor(given.workers) as pool:
        tasks = [
            (given, seed, is_plain) for seed in range(given.seeds) for is_plain in (False, True)
        ]
        found = list(pool.map(searched, tasks))
    pairs = [(own[0], other[0]) for own, other in zip(found[::2], found[1::2], strict=True)]
    curves = [worth_curve(*own) for own in found]
    worth_share = share_of_means(list(zip(curves[::2], curves[1::2], strict=True)))
    true = np.array([worths[-1] for _, worths in found]).reshape(-1, 2)
    best = np.array([best_within(one.trainings, math.inf, "epochs") for one, _ in found])
    best = best.astype(float).reshape(-1, 2)
    report(
        given,
        {
            **of_means(pairs, "epochs"),
            "best_with_rungs": finite(float(best[:, 0].mean())),
            "best_plain": finite(float(best[:, 1].mean())),
            "true_with_rungs": finite(float(true[:, 0].mean())),
            "true_plain": finite(float(true[:, 1].mean())),
            "true_share": finite(worth_share),
            "error_of_true_difference": finite(
                float((true[:, 0] - true[:, 1]).std(ddof=1) / math.sqrt(given.seeds))
            ),
        },
    )


def searched(task: tuple[argparse.Namespace, int, bool]) -> tuple[Found, list[float]]:
    """What a search finds, and what its best design is really worth, after each training."""
    given, seed, is_plain = task
    rungs = numbers(given.rungs)
    agreement, spread, noise = (
        tuple(float(part) for part in text.split(","))
        for text in (given.agreement, given.spread, given.noise)
    )
    land = Landscape(load_space(given.space), seed, agreement, spread)
    trainings: list[Training] = []
    worth, worths = -math.inf, list[float]()
    best: tuple[float, Chromosome] = (-math.inf, ())
    fidelity = FidelitySettings(rungs=() if is_plain else tuple(rungs), reduction=given.reduction)
    costs = added_epochs(fidelity, TrainingSettings(epochs=rungs[-1]))
    records = Records([parse_objective("accuracy")], {})
    promotions = Rungs(records, fidelity)
    for trial in trials(land.space, records, promotions, seed):
        place = len(rungs) - len(costs) + trial.rung
        luck = np.random.default_rng([trial.seed, place]).standard_normal()
        accuracy = float(land.accuracies(trial.chromosome)[place] + noise[place] * luck)
        outcome = Outcome(trial.number, "complete", {"accuracy": accuracy})
        records.add_outcome(promotions.as_pruned_below_top(outcome))
        epochs = costs[trial.rung]
        is_whole = place == len(rungs) - 1
        trainings.append(Training(epochs, epochs, accuracy if is_whole else None, False))
        if is_whole:
            best = max(best, (accuracy, trial.chromosome))
            worth = float(land.accuracies(best[1])[-1])
        worths.append(worth)
        if sum(training.epochs for training in trainings) >= given.designs * rungs[-1]:
            break
    return Found(tuple(trainings), best[1]), worths


def worth_curve(found: Found, worths: list[float]) -> Bests:
    """What the best design is really worth, over the epochs spent; it may fall again."""
    spent, _ = bests(found, "epochs")
    return spent, np.array([-math.inf, *worths])


def trials(space: SearchSpace, records: Records, promotions: Rungs, seed: int) -> Iterator[Trial]:
    """One after the other, as a driver would start them; each is on record."""
    settings = EvolverSettings()
    schedule = AsyncSchedule(evolver_class(settings)(settings, space, seed), records)
    while True:
        source = promotions.promotable()
        if source is not None:
            trial = promotions.promotion(source)
        else:
            number, proposal, _ = schedule.next()
            blueprint = space.decode(proposal.chromosome)
            own = trial_seed(seed, number)
            trial = Trial(number, proposal.chromosome, blueprint, own, proposal.parents)
        records.add_trial(trial, len(records.outcomes))
        yield trial


if __name__ == "__main__":
    main()
