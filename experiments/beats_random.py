"""Hypervolume of the default evolver and of random search, after equal numbers of evaluations.

Real searches over real trainings, each seed with both evolvers. The reference point of a seed
is the worst of each objective over both of its runs, so both are judged by the same measure.
"""

from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from record import parser, report

from evonas import pareto
from evonas.driver import search
from evonas.runs import Run


def fitness(run: Run) -> np.ndarray:
    """(trials, objectives), in the order that the trials finished."""
    return run.records.fitness_matrix(run.records.feasible)


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--seeds", type=int, default=5)
    words.add_argument("settings", nargs="*", help="settings of a search, KEY=VALUE")
    given = words.parse_args()
    folder = Path(mkdtemp())
    rows = []
    for seed in range(given.seeds):
        runs = {}
        for evolver in ("pygad", "random"):
            own = [f"evolver={evolver}", f"run.seed={seed}", f"run.folder={folder}"]
            name = f"run.name={evolver}-{seed}"
            runs[evolver] = fitness(search([*given.settings, *own, name, "display=plain"]))
        worst = np.min([matrix.min(0) for matrix in runs.values()], axis=0)
        rows.append({name: pareto.hypervolume(matrix, worst) for name, matrix in runs.items()})
    ratios = [row["pygad"] / row["random"] for row in rows]
    report(
        given,
        {
            "hypervolume": rows,
            "mean_pygad": float(np.mean([row["pygad"] for row in rows])),
            "mean_random": float(np.mean([row["random"] for row in rows])),
            "mean_ratio": float(np.mean(ratios)),
            "wins": sum(ratio > 1 for ratio in ratios),
            "seeds": given.seeds,
        },
    )


if __name__ == "__main__":
    main()
