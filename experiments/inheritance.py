"""What a search gains if children begin with their parents' weights, and what its designs do.

Searches with and without `training.inherit=true`, paired by seed, as many evaluations of as many
epochs each. `difference` is the best validation accuracy with inheritance less that without, at
equal epochs; `difference_at_equal_seconds` stops both when the quicker one has ended. An
inherited network has been trained for longer than its own epochs, so the best designs of both
are also trained anew, without weights of others: `difference_of_designs`, at equal epochs and
over `--fresh` seeds that no search had. Errors are standard errors of the mean over seeds.
"""

from typing import Any

import numpy as np
from record import report
from trainings import (
    Found,
    best_within,
    search_parser,
    searches,
    total,
    trained_again,
    words_of,
)


def main() -> None:
    own = ("space=mobile_cells", "budget.evaluations=24")
    words = search_parser(__doc__, 4000, *own)
    words.add_argument("--seeds", type=int, default=3, help="pairs of searches (%(default)s)")
    words.add_argument("--fresh", type=int, default=2, help="seeds to train anew by (%(default)s)")
    given = words.parse_args()
    plain = words_of(given)
    inheriting = words_of(given, *plain, "training.inherit=true")
    tasks = [
        (*way, f"run.seed={seed}") for seed in range(given.seeds) for way in (inheriting, plain)
    ]
    found = searches(tasks, given)
    pairs = list(zip(found[::2], found[1::2], strict=True))
    each = [compared(*pair) for pair in pairs]
    if given.fresh:
        again = [(plain, one.best) for pair in pairs for one in pair]
        accuracies = trained_again(again, given.fresh, given)[:, :, 0].mean(1)
        for row, values in zip(each, accuracies.reshape(-1, 2), strict=True):
            row["designs_inherited"], row["designs_plain"] = values.round(4).tolist()
            row["difference_of_designs"] = round(float(values[0] - values[1]), 4)
    report(given, summary(each) | {"each": each, "subset": given.subset})


def compared(inheriting: Found, plain: Found) -> dict[str, Any]:
    ways = {"inherited": inheriting.trainings, "plain": plain.trainings}
    row: dict[str, Any] = {}
    for cost in ("epochs", "seconds"):
        spent = {name: total(trainings, cost) for name, trainings in ways.items()}
        limit = min(spent.values())
        best = {name: best_within(trainings, limit, cost) for name, trainings in ways.items()}
        suffix = "" if cost == "epochs" else "_at_equal_seconds"
        row["difference" + suffix] = round(difference(best["inherited"], best["plain"]), 4)
        row |= {f"{cost}_{name}": round(value, 1) for name, value in spent.items()}
        row |= {f"best_{name}{suffix}": value for name, value in best.items()}
    row["children_with_weights"] = sum(each.has_inherited for each in inheriting.trainings)
    return row


def difference(one: float | None, other: float | None) -> float:
    """Whoever has found nothing has an accuracy of 0."""
    return (one or 0.0) - (other or 0.0)


def summary(each: list[dict[str, Any]]) -> dict[str, Any]:
    result = {}
    for name in ("difference", "difference_at_equal_seconds", "difference_of_designs"):
        values = np.array([row[name] for row in each if name in row])
        if len(values):
            result[name] = round(float(values.mean()), 4)
        if len(values) > 1:
            error = values.std(ddof=1) / np.sqrt(len(values))
            result[f"error_of_{name}"] = round(float(error), 4)
    return result


if __name__ == "__main__":
    main()
