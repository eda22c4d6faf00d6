"""A long run on the disk, looked up in a table, without surrogate: how its time grows with it.

The table is made for it: 4^9 designs, a score that genes add to alone and with their neighbour,
and a cost. The run is an ordinary one, ledger included; proposals, look-ups and ledger are timed
from outside. Reading the table is no part of it, reading the finished run back is told apart.
"""

import csv
import json
import time
from functools import wraps
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from record import parser, report

from evonas.driver import search
from evonas.evaluation.table_evaluator import TableEvaluator
from evonas.evolution.pygad_evolver import PygadEvolver
from evonas.runs.ledger import Ledger

GENES, ALLELES = 9, 4


class Stopwatch:
    """Seconds spent in parts of the program, and in all of it, by each milestone."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.spent = {"proposals": 0.0, "look_ups": 0.0, "ledger": 0.0}
        self.finished = 0
        self.marks: list[dict[str, float]] = []

    def watch(self, owner: type, method: str, part: str, counts: bool = False) -> None:
        """Times a method from now on; one that counts records an outcome with each call."""
        timed = getattr(owner, method)

        @wraps(timed)
        def called(*given: Any, **named: Any) -> Any:
            if not self.marks:
                self.mark()
            start = time.perf_counter()
            result = timed(*given, **named)
            self.spent[part] += time.perf_counter() - start
            self.finished += counts
            if counts and self.finished % self.step == 0:
                self.mark()
            return result

        setattr(owner, method, called)

    def mark(self) -> None:
        """A milestone is reached."""
        now = {"wall": time.perf_counter(), "cpu": time.process_time(), **self.spent}
        self.marks.append(now)

    def since_start(self) -> dict[str, list[float]]:
        """Seconds by each milestone."""
        first, *marks = self.marks
        return {key: [round(mark[key] - first[key], 2) for mark in marks] for key in first}


def write_table(folder: Path, rng: np.random.Generator) -> None:
    """`table.csv` with all designs, and `space.yaml` to search it by."""
    names = [f"gene_{number}" for number in range(GENES)]
    designs = np.array(list(product(range(ALLELES), repeat=GENES)))
    single = rng.normal(size=(GENES, ALLELES))
    pairs = rng.normal(size=(GENES, ALLELES, ALLELES))
    score = sum(single[gene][designs[:, gene]] for gene in range(GENES)) + sum(
        pairs[gene][designs[:, gene - 1], designs[:, gene]] for gene in range(GENES)
    )
    cost = designs @ rng.uniform(1, 3, GENES)
    with open(folder / "table.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*names, "score", "cost"])
        writer.writerows(np.column_stack([designs, score.round(6), cost.round(6)]).tolist())
    gene = json.dumps({"choice": list(range(ALLELES))})
    lines = [f"  {name}: {gene}" for name in names]
    (folder / "space.yaml").write_text("\n".join(["values:", *lines, ""]))


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--evaluations", type=int, default=100_000)
    words.add_argument("--folder", type=Path, help="where the run is written; default: /tmp")
    words.add_argument("settings", nargs="*", help="settings of a search, KEY=VALUE")
    given = words.parse_args()
    step = given.evaluations // 10
    watch = Stopwatch(step)
    watch.watch(PygadEvolver, "propose", "proposals")
    watch.watch(TableEvaluator, "__call__", "look_ups")
    watch.watch(Ledger, "add_trials", "ledger")
    watch.watch(Ledger, "add_outcome", "ledger", counts=True)
    with TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        write_table(folder, np.random.default_rng(0))
        own = [
            "evaluator=table",
            f"evaluator.path={folder}/table.csv",
            f"space={folder}/space.yaml",
        ]
        own += [f"run.folder={folder}", "run.name=long", "objectives=score:max,cost:min"]
        own += ["executor=inline", "display=plain", "evolver.surrogate=false"]
        run = search([*own, f"budget.evaluations={given.evaluations}", *given.settings])
        watch.mark()
        size = (folder / "long" / "run.db").stat().st_size
    seconds = watch.since_start()
    total = {key: by_tenth[9] for key, by_tenth in seconds.items()}
    tenths = {key: np.diff([0, *by_tenth[:10]]) for key, by_tenth in seconds.items()}
    report(
        given,
        {
            "evaluations": run.records.evaluations,
            "trials": len(run.records.trials),
            "seconds": total,
            "seconds_by_each_tenth": {key: own[:10] for key, own in seconds.items()},
            "last_tenth_over_first": {
                key: round(float(own[-1] / own[0]), 2) for key, own in tenths.items()
            },
            "evaluations_per_second": round(given.evaluations / total["wall"]),
            "look_ups_per_second": round(given.evaluations / total["look_ups"]),
            "ms_per_proposal_by_tenth": (1e3 * tenths["proposals"] / step).round(2).tolist(),
            "seconds_to_read_it_back": round(seconds["wall"][10] - total["wall"], 2),
            "ledger_mib": round(size / 2**20, 1),
        },
    )


if __name__ == "__main__":
    main()
