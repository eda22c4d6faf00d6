"""What rungs save: cheap trainings first, and only for the best of them a whole one.

Searches with `fidelity.rungs` and without (`training.epochs` is then the last rung), paired by
seed. `seconds_ratio` is how many busy seconds those with rungs needed for the accuracy that the
others had in the end, over how many the others needed for it, where accuracy is the best so far and
the mean over seeds; `epochs_ratio` the same of epochs. The intervals hold 90 % of what other seeds
would give (bootstrap over pairs). Null is that those with rungs spent `--stretch` times the epochs
and did not get there. The others may have had it long before their end, which nobody knows before:
`seconds_share` and `epochs_share` are of all that they spent, each pair by its own. In `each` it is
one search with rungs and its own pair that are compared: the luck of both with the seed is in that,
and `median_seconds_ratio` is the median, null the worst; `best_*` are epochs and seconds spent and
the accuracy at each improvement, so that pairs of several records can be put together.
`difference_at_equal_seconds` and `_epochs` are of the best accuracies, when the one with rungs has
spent as much as the other in all, or what it has if that is less.

The best of 27 accuracies owes more to luck than the best of the few that rungs let through. So what
was found is trained again, whole, from `--fresh` seeds that no search had. In
`again_at_half_the_seconds` the design that led with rungs after half of the seconds that the other
search took in all is compared to the best design of that; one that had none by then has 0. Both
have accuracies on the validation and on the test images. Errors are of means over pairs.

`curves` (of `--curves FILE.npz`) is the same promotion rule on recorded losses, in random order,
against whole trainings in random order. A diverged curve costs the steps to where
it diverged, for both, and counts as the worst of the others. The
regret is the final loss of the incumbent, the best on the highest rung reached, less that of the
best configuration; `at` counts whole trainings, and both have spent as many steps.
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from record import report
from trainings import (
    SIDE,
    Found,
    best_within,
    checked,
    leader_within,
    search_parser,
    searches,
    total,
    trained_again,
    words_of,
)

from evonas.blueprint import Blueprint
from evonas.driver.rungs import Rungs
from evonas.evaluation.objectives import parse_objective
from evonas.evaluation.segments import expected_epochs
from evonas.runs.records import Records
from evonas.settings import FidelitySettings
from evonas.trial import Chromosome, Outcome, Trial

COSTS = "seconds", "epochs"
NAMES = "with_rungs", "plain"
RESAMPLED = 1000

Curves = NDArray[np.float64]  # (configurations, steps), lower is better
Bests = tuple[NDArray[np.float64], NDArray[np.float64]]  # spent, best accuracy by then


def main() -> None:
    words = search_parser(__doc__, 10000, "space=mobile_cells", "budget.evaluations=27")
    words.add_argument("--rungs", default="1,3,9", help="epochs (%(default)s)")
    words.add_argument("--seeds", type=int, default=5, help="pairs of searches (%(default)s)")
    words.add_argument("--first", type=int, default=0, help="seed of the first pair (%(default)s)")
    words.add_argument(
        "--stretch", type=float, default=1.25, help="epochs with rungs, at most (%(default)s)"
    )
    words.add_argument("--fresh", type=int, default=3, help="seeds to train again by (%(default)s)")
    words.add_argument("--curves", type=Path, metavar="FILE", help="recorded ones (.npz)")
    words.add_argument("--steps", default="6,17,51", help="rungs of the curves (%(default)s)")
    words.add_argument("--at", default="10,20,50,100", help="whole trainings (%(default)s)")
    words.add_argument("--orders", type=int, default=50, help="of the curves (%(default)s)")
    given = words.parse_args()
    result: dict[str, Any] = {}
    if given.seeds:
        result |= searched(given)
    if given.curves:
        result["curves"] = simulated(given)
    report(given, result)


def searched(given: argparse.Namespace) -> dict[str, Any]:
    """Both ways to search, with real trainings."""
    amounts = numbers(given.rungs)
    plain = words_of(given, f"training.epochs={amounts[-1]}")
    with_rungs = words_of(given, f"fidelity.rungs={given.rungs}")
    settings = checked(with_rungs).settings
    designs = given.stretch * settings.budget.evaluations * amounts[-1]
    designs /= expected_epochs(settings.fidelity, settings.training, SIDE)
    with_rungs = (*with_rungs, f"budget.evaluations={math.ceil(designs)}")
    tasks = [
        (*way, f"run.seed={seed}")
        for seed in range(given.first, given.first + given.seeds)
        for way in (with_rungs, plain)
    ]
    found = searches(tasks, given)
    pairs = list(zip(found[::2], found[1::2], strict=True))
    each = [compared(*pair) for pair in pairs]
    result: dict[str, Any] = {}
    for cost in COSTS:
        result |= of_means(pairs, cost)
        for name in ("ratio", "share"):
            result[f"median_{cost}_{name}"] = median([row[f"{cost}_{name}"] for row in each])
        differences = np.array([row[f"difference_at_equal_{cost}"] for row in each])
        result |= mean_of(differences, f"_at_equal_{cost}")
    reached = sum(row["epochs_ratio"] is not None for row in each)
    result["reached"] = f"{reached} of {given.seeds}"
    if given.fresh:
        result |= again_at_half(pairs, plain, given)
    return result | {"each": each}


def mean_of(differences: NDArray[np.float64], suffix: str) -> dict[str, float]:
    """Over pairs, and its error."""
    result = {f"difference{suffix}": round(float(differences.mean()), 4)}
    if len(differences) > 1:
        error = differences.std(ddof=1) / np.sqrt(len(differences))
        result[f"error{suffix}"] = round(float(error), 4)
    return result


def again_at_half(
    pairs: Sequence[tuple[Found, Found]], words: tuple[str, ...], given: argparse.Namespace
) -> dict[str, Any]:
    """What designs are worth that led after half of either cost, and those found without rungs."""
    ends = [plain.best for _, plain in pairs]
    leaders = {cost: [at_half(*pair, cost) for pair in pairs] for cost in COSTS}
    designs = list(dict.fromkeys([*ends, *(own for row in leaders.values() for own in row if own)]))
    accuracies = trained_again([(words, own) for own in designs], given.fresh, given).mean(1)
    worth = dict(zip(designs, accuracies, strict=True)) | {(): np.zeros(2)}
    return {
        f"again_at_half_the_{cost}": compared_again(
            np.array([worth[own] for own in row]), np.array([worth[own] for own in ends])
        )
        for cost, row in leaders.items()
    }


def compared_again(with_rungs: NDArray[np.float64], plain: NDArray[np.float64]) -> dict[str, Any]:
    """Both are (pairs, parts): validation and test."""
    result: dict[str, Any] = {}
    for part, suffix in enumerate(("", "_on_test")):
        result |= mean_of(with_rungs[:, part] - plain[:, part], suffix)
    return result | {
        "each_with_rungs": with_rungs.round(4).tolist(),
        "each_plain": plain.round(4).tolist(),
    }


def at_half(with_rungs: Found, plain: Found, cost: str) -> Chromosome:
    """The design that led when half of what the other search took was spent; none is ()."""
    leader = leader_within(with_rungs.trainings, total(plain.trainings, cost) / 2, cost)
    return () if leader is None else leader.design


def of_means(pairs: Sequence[tuple[Found, Found]], cost: str) -> dict[str, Any]:
    """The ratio and the share of the means over seeds, and their intervals."""
    rng = np.random.default_rng(0)
    draws = rng.integers(len(pairs), size=(RESAMPLED, len(pairs)))
    curves = [(bests(with_rungs, cost), bests(plain, cost)) for with_rungs, plain in pairs]
    result: dict[str, Any] = {}
    for name, of in (("ratio", ratio_of_means), ("share", share_of_means)):
        resampled = [of([curves[seed] for seed in draw]) for draw in draws]
        ends = np.quantile(resampled, [0.05, 0.95], method="nearest")
        result[f"{cost}_{name}"] = finite(of(curves))
        result[f"{cost}_{name}_interval"] = [finite(float(end)) for end in ends]
    return result


def ratio_of_means(curves: Sequence[tuple[Bests, Bests]]) -> float:
    """Infinite if those with rungs do not get there."""
    with_rungs, plain = zip(*curves, strict=True)
    target = mean_end(plain)
    return reaching(with_rungs, target) / reaching(plain, target)


def share_of_means(curves: Sequence[tuple[Bests, Bests]]) -> float:
    """Of all that the others spent; infinite if those with rungs do not get there."""
    shares = [(spent / plain[0][-1], best) for (spent, best), plain in curves]
    return reaching(shares, mean_end([plain for _, plain in curves]))


def mean_end(curves: Sequence[Bests]) -> float:
    return float(np.mean([best[-1] for _, best in curves]))


def bests(found: Found, cost: str) -> Bests:
    """Beginning with nothing spent and nothing known."""
    spent = np.cumsum([0.0, *(getattr(training, cost) for training in found.trainings)])
    accuracy = [training.accuracy for training in found.trainings]
    known = [-math.inf, *(-math.inf if one is None else one for one in accuracy)]
    return spent, np.maximum.accumulate(known)


def reaching(curves: Sequence[Bests], target: float) -> float:
    """What each had spent when the mean of the best came to the target for good; else infinite."""
    spent = np.unique(np.concatenate([own for own, _ in curves]))
    at = [best[np.searchsorted(own, spent, side="right") - 1] for own, best in curves]
    there = np.mean(at, axis=0) >= target - 1e-12
    there = np.logical_and.accumulate(there[::-1])[::-1]
    return float(spent[there.argmax()]) if there.any() else math.inf


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def compared(with_rungs: Found, plain: Found) -> dict[str, Any]:
    target = best_within(plain.trainings, math.inf, "epochs")
    assert target is not None, "a search has a best"
    row: dict[str, Any] = {"accuracy": target}
    for cost in COSTS:
        curves = bests(with_rungs, cost), bests(plain, cost)
        row[f"{cost}_ratio"] = finite(ratio_of_means([curves]))
        row[f"{cost}_share"] = finite(share_of_means([curves]))
        for name, curve in zip(NAMES, curves, strict=True):
            row[f"{cost}_{name}"] = finite(reaching([curve], target))
        spent = [float(own[-1]) for own, _ in curves]
        row[f"{cost}_in_all"] = [round(own, 1) for own in spent]
        equal = best_within(with_rungs.trainings, spent[1], cost)
        row[f"difference_at_equal_{cost}"] = round((equal or 0.0) - target, 4)
    for name, found in zip(NAMES, (with_rungs, plain), strict=True):
        row[f"best_{name}"] = improvements(found)
    return row


def improvements(found: Found) -> list[list[float]]:
    """Epochs and seconds that were spent, and the accuracy, whenever there was a better one."""
    epochs, best = bests(found, "epochs")
    seconds, _ = bests(found, "seconds")
    better = np.flatnonzero(np.diff(best) > 0) + 1
    rows: list[list[float]] = np.column_stack([epochs, seconds.round(1), best.round(4)]).tolist()
    return [rows[place] for place in better]


def median(ratios: Sequence[float | None]) -> float | None:
    """None counts as the largest."""
    return finite(float(np.median([math.inf if ratio is None else ratio for ratio in ratios])))


def finite(ratio: float) -> float | None:
    return round(ratio, 4) if math.isfinite(ratio) else None


def simulated(given: argparse.Namespace) -> dict[str, Any]:
    """Both ways to search, on each task's recorded curves."""
    steps, at = numbers(given.steps), numbers(given.at)
    with np.load(given.curves) as file:
        tasks = {name.removesuffix("__valid"): file[name] for name in file if "__valid" in name}
    settings = FidelitySettings(rungs=tuple(steps))
    result: dict[str, Any] = {"rungs": steps, "at": at, "orders": given.orders}
    for name, curves in tasks.items():
        result[name] = on_curves(np.asarray(curves[:, : steps[-1]]), settings, at, given.orders)
    ratios = [result[name]["steps_ratio"] for name in tasks]
    return result | {"steps_ratio": median(ratios)}


def on_curves(
    curves: Curves, settings: FidelitySettings, at: Sequence[int], orders: int
) -> dict[str, Any]:
    budgets = [count * settings.rungs[-1] for count in at]
    whole = FidelitySettings(rungs=settings.rungs[-1:])
    regrets: dict[str, list[list[float]]] = {"with_rungs": [], "whole": []}
    ratios: list[float | None] = []
    for seed in range(orders):
        order = np.random.default_rng(seed).permutation(len(curves))
        ways = [list(halving(curves, order, own, budgets[-1])) for own in (settings, whole)]
        for own, way in zip(regrets.values(), ways, strict=True):
            own.append([regret_at(way, budget) for budget in budgets])
        target = regret_at(ways[1], budgets[-1])
        own_steps, other_steps = (first(way, target) for way in ways)
        ratios.append(None if own_steps is None or not other_steps else own_steps / other_steps)
    result: dict[str, Any] = {"steps_ratio": median(ratios)}
    result["reached"] = sum(ratio is not None for ratio in ratios)
    for name, rows in regrets.items():
        matrix = np.array(rows)
        result[f"regret_{name}"] = [float(f"{value:.4g}") for value in matrix.mean(0)]
        errors = matrix.std(0, ddof=1) / np.sqrt(orders) if orders > 1 else []
        result[f"error_{name}"] = [float(f"{value:.2g}") for value in errors]
    return result


def halving(
    curves: Curves, order: NDArray[np.int64], settings: FidelitySettings, budget: int
) -> Iterator[tuple[int, float]]:
    """Steps spent so far and regret, after each training, by the promotions of a real search."""
    records = Records([parse_objective("loss")], {})
    rungs, waiting = Rungs(records, settings), iter(order.tolist())
    lives = np.logical_and.accumulate(np.isfinite(curves), axis=1).sum(1)  # steps
    final = curves[:, -1].astype(float)
    final[lives < curves.shape[1]] = final[lives == curves.shape[1]].max()
    spent, best = 0, (-1, math.inf, math.inf)  # rung, loss there, final loss
    while spent < budget:
        source = rungs.promotable()
        if source is not None:
            trial = rungs.promotion(source)
        elif (row := next(waiting, None)) is not None:
            trial = begun(records, row)
        else:
            return
        records.add_trial(trial, len(records.outcomes))
        row, rung = int(trial.chromosome[0]), trial.rung
        start, stop = (0, *settings.rungs)[rung], settings.rungs[rung]
        lived = int(lives[row])
        spent += min(lived + 1, stop) - start
        loss = float(curves[row, stop - 1])
        if lived < stop:
            outcome = Outcome(trial.number, "failed", error_kind="diverged")
        else:
            outcome = Outcome(trial.number, "complete", {"loss": loss})
            if (rung, -loss) > (best[0], -best[1]):
                best = (rung, loss, float(final[row]))
        records.add_outcome(rungs.as_pruned_below_top(outcome))
        yield spent, best[2] - float(final.min())


def begun(records: Records, row: int) -> Trial:
    """A configuration that comes new to the lowest rung."""
    return Trial(records.next_number, (float(row),), Blueprint({}), 0)


def regret_at(way: Sequence[tuple[int, float]], budget: int) -> float:
    """When so many steps are spent; of what was spent least, if all is more."""
    return [regret for spent, regret in way if spent <= budget or spent == way[0][0]][-1]


def first(way: Sequence[tuple[int, float]], regret: float) -> int | None:
    """Steps until the regret stays as low: what an incumbent that is replaced had is no result."""
    reached = None
    for spent, own in way:
        if own > regret:
            reached = None
        elif reached is None:
            reached = spent
    return reached


if __name__ == "__main__":
    main()
