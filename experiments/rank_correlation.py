"""Whether one short training puts designs in the order that one ten times as long does.

Random designs, each trained twice at proxy scale and from two seeds: with the recipe of a
search, and for `--times` as many epochs. Epochs are equal for all designs, and all are scored on
the same validation images. `spearman` compares accuracy with accuracy, `spearman_of_loss` loss
with loss, `spearman_loss_to_accuracy` the short training's loss with the long one's accuracy.
The interval holds 90 % of what other designs would give (Fisher's z). The overlap is how many of
the best three of the short trainings are among the best three of the long ones.

Images are flipped and moved a little. Few images that are seen 30 times as they are would be learnt
by heart: with 4,000 of CIFAR-10, one order of 32 designs says nothing of the other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from record import report
from scipy.stats import kendalltau, spearmanr
from trainings import checked, outcome_of, side_by_side, training_parser, words_of

Scores = NDArray[np.float64]  # (designs,), larger is better
TOP = 3
MOVED = ("training.fliplr=0.5", "training.translate=0.1")


@dataclass(frozen=True)
class Task:
    """One training of one design, by the number that it was drawn with."""

    words: tuple[str, ...]
    design: int
    seed: int


@dataclass(frozen=True)
class Scored:
    """What a training gave; a failed one is worse than any other."""

    accuracy: float
    loss: float
    seconds: float


def main() -> None:
    words = training_parser(__doc__, 12000, *MOVED)
    words.add_argument("--designs", type=int, default=16, help="random ones (%(default)s)")
    words.add_argument(
        "--first-design", type=int, default=0, help="number that the first is drawn with (0)"
    )
    words.add_argument("--times", type=int, default=10, help="as many epochs (%(default)s)")
    given = words.parse_args()
    short = words_of(given)
    epochs = checked(short).settings.training.epochs
    long = (*short, f"training.epochs={epochs * given.times}")  # the last word wins
    # The long ones first: so both processes are busy to the end.
    designs = range(given.first_design, given.first_design + given.designs)
    tasks = [Task(long, design, 2 * design + 1) for design in designs]
    tasks += [Task(short, design, 2 * design) for design in designs]
    scored = side_by_side(scored_by, tasks, given)
    later, first = scored[: given.designs], scored[given.designs :]
    result = compared(first, later) | {"designs": given.designs}
    report(given, result | {"epochs": [epochs, epochs * given.times], "subset": given.subset})


def scored_by(task: Task) -> Scored:
    space = checked(task.words).space
    chromosome = space.sample(np.random.default_rng(task.design))
    outcome = outcome_of(task.words, task.seed, chromosome)
    accuracy, loss = (outcome.measures.get(*pair) for pair in (("accuracy", 0.0), ("loss", np.inf)))
    return Scored(accuracy, loss, outcome.busy_seconds)


def compared(first: list[Scored], later: list[Scored]) -> dict[str, object]:
    accuracy = [np.array([each.accuracy for each in group]) for group in (first, later)]
    loss = [np.array([-each.loss for each in group]) for group in (first, later)]
    found = {
        "": (accuracy[0], accuracy[1]),
        "_of_loss": (loss[0], loss[1]),
        "_loss_to_accuracy": (loss[0], accuracy[1]),
    }
    result: dict[str, object] = {}
    for name, (one, other) in found.items():
        spearman = correlation(spearmanr, one, other)
        result[f"spearman{name}"] = round(spearman, 4)
        result[f"interval{name}"] = interval(spearman, len(first))
        result[f"kendall{name}"] = round(correlation(kendalltau, one, other), 4)
        result[f"overlap_of_top_{TOP}{name}"] = overlap(one, other)
    for name, group in (("short", first), ("long", later)):
        result[f"accuracy_{name}"] = [round(each.accuracy, 4) for each in group]
        result[f"loss_{name}"] = [round(each.loss, 4) for each in group]
        result[f"seconds_{name}"] = round(sum(each.seconds for each in group), 1)
    return result


def correlation(measure: Callable[[Scores, Scores], Any], one: Scores, other: Scores) -> float:
    """0 if all designs are equal: then nothing is told apart."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(measure(one, other).statistic)


def interval(spearman: float, designs: int) -> list[float]:
    """90 %, with the variance 1.06 / (n - 3) of z (Fieller, Hartley and Pearson 1957)."""
    width = 1.645 * np.sqrt(1.06 / max(designs - 3, 1))
    z = np.arctanh(np.clip(spearman, -0.9999, 0.9999))
    return [round(float(np.tanh(z + side * width)), 3) for side in (-1, 1)]


def overlap(one: Scores, other: Scores) -> int:
    best = [set(np.argsort(-scores, kind="stable")[:TOP].tolist()) for scores in (one, other)]
    return len(best[0] & best[1])


if __name__ == "__main__":
    main()
