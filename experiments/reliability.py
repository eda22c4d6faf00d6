"""How much of what one short training says is the design, and how much the seed.

Reliability = variance between designs / (variance between designs + variance between seeds),
by one-way analysis of variance over random designs, each trained with several seeds by the
evaluator that a default search uses.
"""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from record import parser, report

from evonas.driver.preparation import check, set_up
from evonas.settings import Words
from evonas.trial import Assignment, Trial


def train(task: tuple[list[str], int, int]) -> dict[str, float]:
    """The measures of one design with one seed."""
    words, design, seed = task
    checked = check(Words([*words, "objectives=accuracy,macs"]))
    setup = set_up(checked, Path(mkdtemp()), checked.facts)
    chromosome = setup.space.sample(np.random.default_rng(design))
    trial = Trial(0, chromosome, setup.space.decode(chromosome), seed=seed)
    return dict(setup.evaluator(Assignment(trial)).measures)


def reliability(values: np.ndarray) -> float:
    """Of one observation; `values` is (designs, seeds)."""
    within = values.var(1, ddof=1).mean()
    between = max(values.mean(1).var(ddof=1) - within / values.shape[1], 0.0)
    return float(between / (between + within))


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--designs", type=int, default=12)
    words.add_argument("--seeds", type=int, default=4)
    words.add_argument("--workers", type=int, default=2)
    words.add_argument("settings", nargs="*", help="settings of a search, KEY=VALUE")
    given = words.parse_args()
    tasks = [
        (given.settings, d, 1000 * d + s) for d in range(given.designs) for s in range(given.seeds)
    ]
    with ProcessPoolExecutor(given.workers, get_context("spawn")) as pool:
        outcomes = list(pool.map(train, tasks))
    shape = (given.designs, given.seeds)
    accuracy, loss = (
        np.array([outcome[name] for outcome in outcomes]).reshape(shape)
        for name in ("accuracy", "loss")
    )
    report(
        given,
        {
            "reliability_accuracy": reliability(accuracy),
            "reliability_loss": reliability(loss),
            "accuracy_mean_per_design": accuracy.mean(1).round(4).tolist(),
            "accuracy_deviation_between_seeds": float(np.sqrt(accuracy.var(1, ddof=1).mean())),
        },
    )


if __name__ == "__main__":
    main()
