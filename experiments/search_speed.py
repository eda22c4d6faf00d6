"""Trials per second of a search at this commit and at another one, side by side.

Two figures, each as the ratio of this commit to the other in pairs of runs that follow each
other, so that a machine that gets slower or faster meanwhile does not tell: `search` is the
default search with its trainings, and `proposals` one of a function that takes no time, where
evonas itself is all that takes any. Both commits search the other commit's space, so that they
train the same networks.
"""

import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

from checkouts import COUNT, COUNTED, HERE, checked_out, evonas_in
from record import parser, report


def trials_per_second(tree: Path, folder: Path, *words: str) -> float:
    """Evaluations of one search over its seconds, without start-up."""
    run = evonas_in(tree, folder, "search", "display=none", *words)
    return float(run["evaluations"] / run["seconds"])


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--against", default="HEAD~1", metavar="COMMIT")
    words.add_argument("--pairs", type=int, default=3)
    words.add_argument("--evaluations", type=int, default=24)
    words.add_argument("--proposals", type=int, default=300)
    arguments = words.parse_args()
    rows: dict[str, list[dict[str, float]]] = {"search": [], "proposals": []}
    with TemporaryDirectory() as name, checked_out(arguments.against) as other:
        folder = Path(name)
        (folder / "count.py").write_text(COUNT)
        space = f"space={other / 'search_spaces' / 'mobile_cells.yaml'}"
        searches = {
            "search": (space, "evolver=random", f"budget.evaluations={arguments.evaluations}"),
            "proposals": (*COUNTED, f"budget.evaluations={arguments.proposals}"),
        }
        for pair in range(arguments.pairs):
            for kind, settings in searches.items():
                trees = {"now": HERE, "before": other}
                order = trees if pair % 2 else dict(reversed(trees.items()))
                rows[kind].append(
                    {
                        which: trials_per_second(tree, folder, *settings, f"run.seed={pair}")
                        for which, tree in order.items()
                    }
                )
    report(
        arguments,
        {
            kind: {
                "median_ratio": statistics.median(p["now"] / p["before"] for p in pairs),
                "trials_per_second": pairs,
            }
            for kind, pairs in rows.items()
        },
    )


if __name__ == "__main__":
    main()
