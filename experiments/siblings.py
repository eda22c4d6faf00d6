"""Whether it pays to propose several compressions of one training.

Two searches of a space with compression run side by side, one process each, from equal seeds:
without siblings, and with the share `--siblings` of the pools bred as siblings of parents. Both are
worth the hypervolume of accuracy, latency and size over one reference point, after equal busy
seconds: those of the search that had spent less at its end.
"""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from record import parser, report

import evonas
from evonas.pareto import front, hypervolume

OBJECTIVES = ("accuracy", "latency_ms", "size_mib")
SIGNS = np.array([1.0, -1.0, -1.0])


@dataclass(frozen=True)
class Job:
    """One search."""

    siblings: float
    seed: int
    words: tuple[str, ...]


def searched(job: Job) -> list[dict[str, Any]]:
    """Busy seconds, values of the objectives and operator of each outcome, as they finished."""
    with TemporaryDirectory() as folder:
        words = (
            f"run.folder={folder}",
            f"run.seed={job.seed}",
            f"objectives={','.join(OBJECTIVES)}",
            f"evolver.siblings={job.siblings}",
            *("executor=inline", "display=none"),
        )
        run = evonas.search([*job.words, *words])
        rows = []
        for outcome in run.records.outcomes.values():
            values = None
            if outcome.status == "complete":
                values = [outcome.measures[name] for name in OBJECTIVES]
            rows.append(
                {
                    "seconds": outcome.busy_seconds,
                    "values": values,
                    "shared": outcome.notes.training_of is not None,
                }
            )
        return rows


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--siblings", type=float, default=0.5, help="%(default)s")
    words.add_argument("--seeds", type=int, default=3, help="%(default)s")
    words.add_argument("settings", nargs="*")
    given = words.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    seeds = []
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        for seed in range(given.seeds):
            jobs = [Job(share, seed, tuple(given.settings)) for share in (0.0, given.siblings)]
            usual, siblings = pool.map(searched, jobs)
            seeds.append(compared(usual, siblings))
            print(seeds[-1], flush=True, file=sys.stderr)
    ratios = [row["hypervolume"][1] / row["hypervolume"][0] for row in seeds]
    report(given, {"ratio": float(np.mean(ratios)), "ratios": ratios, "seeds": seeds})


def compared(*ways: list[dict[str, Any]]) -> dict[str, Any]:
    """Hypervolumes after equal seconds."""
    seconds = min(sum(row["seconds"] for row in rows) for rows in ways)
    kept = []
    for rows in ways:
        spent = np.cumsum([row["seconds"] for row in rows])
        kept.append([row for row, at in zip(rows, spent, strict=True) if at <= seconds + 1e-6])
    values = [np.array([row["values"] for row in rows if row["values"]]) * SIGNS for rows in kept]
    worst = np.concatenate(values).min(0)
    return {
        "seconds": round(seconds),
        "designs": [len(rows) for rows in kept],
        "shared": [sum(row["shared"] for row in rows) for rows in kept],
        "hypervolume": [hypervolume(own[front(own)], worst) for own in values],
        "best": [float(own[:, 0].max()) for own in values],
    }


if __name__ == "__main__":
    main()
