"""How busy an asynchronous search keeps its workers, and whether it favours quick designs.

The real loop with simulated workers, in memory, on a table of designs. Durations are lognormal,
and whatever the driver really does between two trials passes on the simulated clock. Utilisation
is the share of the workers' time until the last dispatch in which they had a trial. A generation
is a whole number of trials for each worker, which is the best that `schedule=generational` can do.

For the bias the same searches run with durations in proportion to a design's size, and with the
same durations dealt out to other designs. Simple regret is that of the design with the best
observation so far; large designs, the better ones, finish late, so its mean (over all evaluations
but the first 20) is also taken in the order of dispatch, which shows what was chosen and not how
long it took. The size is that of all designs proposed, over the table's.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from typing import Any

import numpy as np
from record import parser, report

from evonas.driver.loop import Search
from evonas.driver.preparation import Checked, Setup, check, set_up
from evonas.executors.packing import Place
from evonas.executors.virtual_executor import VirtualExecutor
from evonas.reports.progress import SilentDisplay
from evonas.runs.folder import IN_MEMORY
from evonas.runs.ledger import Ledger
from evonas.runs.records import Records
from evonas.settings import Words
from evonas.trial import Outcome, Trial

SIZE = "macs"
MEAN_S = 600
GENERATION = 20  # trials, at least


class WatchedExecutor(VirtualExecutor):
    """Notes when each trial was dispatched, and what the driver's turns took."""

    def _open(self) -> None:
        super()._open()
        self.started: dict[int, float] = {}
        self.turns: list[float] = []

    def _launch(self, trial: Trial, place: Place) -> None:
        super()._launch(trial, place)
        self.started[trial.number] = self._now

    def _charge(self) -> None:
        before = self._now
        super()._charge()
        self.turns.append(self._now - before)

    def utilisation(self, outcomes: Sequence[Outcome]) -> float:
        """Of all workers, until the last dispatch."""
        last = max(self.started.values())
        spans = [(self.started[outcome.number], outcome.seconds) for outcome in outcomes]
        return sum(min(seconds, last - start) for start, seconds in spans) / (self.workers * last)


@dataclass(frozen=True)
class Found:
    """What came of a search."""

    records: Records
    executor: WatchedExecutor


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--table", required=True, help="CSV file, may be compressed")
    words.add_argument("--space", default="nas_bench_201")
    words.add_argument("--observed", default="accuracy_s0,accuracy_s1,accuracy_s2")
    words.add_argument("--workers", default="8,64,512")
    words.add_argument("--rounds", type=int, default=10, help="trials for each worker")
    words.add_argument("--seeds", type=int, default=50, help="pairs of searches for the bias")
    words.add_argument("--at", default="100,200", help="evaluations at which bias is judged")
    given = words.parse_args()
    common = (
        f"space={given.space}",
        "evaluator=table",
        f"evaluator.path={given.table}",
        f"evaluator.observed.accuracy={given.observed}",
        "objectives=accuracy",
        "executor=virtual",
    )
    workers = [int(count) for count in given.workers.split(",") if count]
    result: dict[str, Any] = {
        f"{count}_workers": {
            schedule: utilisation(common, schedule, count, given.rounds)
            for schedule in ("async", "generational")
        }
        for count in workers
    }
    if given.seeds:
        at = [int(count) for count in given.at.split(",")]
        result["bias"] = bias((*common, f"evaluator.duration={SIZE}"), given.seeds, at)
    report(given, result)


def utilisation(common: Sequence[str], schedule: str, workers: int, rounds: int) -> dict[str, Any]:
    population = workers * -(-GENERATION // workers) if schedule == "generational" else GENERATION
    own = [
        f"schedule={schedule}",
        f"evolver.population={population}",
        f"executor.workers={workers}",
    ]
    own += [f"evaluator.duration_mean_s={MEAN_S}", f"budget.evaluations={rounds * workers}"]
    setup = checked((*common, *own))
    start = time.process_time()
    found = searched(setup)
    cpu_s = time.process_time() - start
    outcomes = list(found.records.outcomes.values())
    busy = found.executor.utilisation([o for o in outcomes if o.number in found.executor.started])
    return {
        "utilisation": round(busy, 5),
        "population": population,
        "evaluations": found.records.evaluations,
        "simulated_hours": round(found.executor.clock() / 3600, 2),
        "charged_s": round(sum(found.executor.turns), 1),
        "longest_turn_s": round(max(found.executor.turns), 3),
        "cpu_ms_per_evaluation": round(1e3 * cpu_s / found.records.evaluations, 1),
    }


@cache
def checked(words: tuple[str, ...]) -> Checked:
    return check(Words(words))


def searched(setup: Checked) -> Found:
    """A search by the real loop, all of it in memory."""
    parts: Setup = set_up(setup, IN_MEMORY, setup.facts)
    settings = setup.settings
    executor = WatchedExecutor(parts.evaluator, settings.executor, settings.executor.workers or 1)
    ledger = Ledger.create(IN_MEMORY, setup.facts)
    display = SilentDisplay("simulated", settings, [])
    ledger.clock = display.clock = executor.clock
    records = Records(setup.objectives, settings.constraints)
    Search(parts, records, ledger, executor, display).run()
    ledger.close()
    return Found(records, executor)


def bias(common: tuple[str, ...], seeds: int, at: Sequence[int]) -> dict[str, Any]:
    """Regret and size with durations by size less those with durations dealt out at random."""
    own = ("executor.workers=8", "executor.charge_proposals=false")
    setup = checked((*common, *own, f"budget.evaluations={max(at)}"))
    rows: dict[str, list[list[float]]] = {"by_size": [], "dealt_out": []}
    for seed in range(seeds):
        for kind, figures in rows.items():
            found = searched(timed(setup, seed, kind == "by_size"))
            outcomes = found.records.outcomes
            finished = regrets(setup, outcomes.values())
            dispatched = regrets(setup, [outcomes[number] for number in sorted(outcomes)])
            means = [float(np.mean(curve[GENERATION:])) for curve in (finished, dispatched)]
            figures.append([*(finished[n - 1] for n in at), *means, mean_size(setup, found)])
    by_size, dealt_out = (np.array(figures) for figures in rows.values())
    names = [f"regret_at_{count}" for count in at]
    names += ["mean_regret_by_finish", "mean_regret_by_dispatch", "size_of_proposals"]
    spread = (by_size - dealt_out).std(0, ddof=1) / np.sqrt(seeds)
    return {
        name: {
            "by_size": round(float(by_size[:, column].mean()), 4),
            "dealt_out": round(float(dealt_out[:, column].mean()), 4),
            "difference": round(float((by_size - dealt_out)[:, column].mean()), 4),
            "standard_error": round(float(spread[column]), 4),
        }
        for column, name in enumerate(names)
    } | {"seeds": seeds}


def timed(setup: Checked, seed: int, is_by_size: bool) -> Checked:
    """The same search with another seed, and durations as they shall be."""
    assert setup.lookup is not None, "a table is looked up in"
    sizes = np.array(setup.lookup.columns[SIZE])
    seconds = MEAN_S * sizes / sizes.mean()
    if not is_by_size:
        seconds = np.random.default_rng(seed).permutation(seconds)
    columns = {**setup.lookup.columns, "seconds": tuple(seconds.tolist())}
    run = setup.settings.run.model_copy(update={"seed": seed})
    return replace(
        setup,
        settings=setup.settings.model_copy(update={"run": run}),
        lookup=replace(setup.lookup, columns=columns, duration="seconds"),
    )


def regrets(setup: Checked, outcomes: Iterable[Outcome]) -> list[float]:
    """The table's best value less the true one of the incumbent, after 1, 2, ... evaluations."""
    assert setup.lookup is not None, "a table is looked up in"
    best = max(setup.lookup.columns["accuracy"])
    paid = (outcome for outcome in outcomes if not outcome.is_free)
    incumbents = accumulate(paid, lambda *two: max(two, key=lambda o: o.measures["accuracy"]))
    return [best - float(outcome.details["truth"]["accuracy"]) for outcome in incumbents]


def mean_size(setup: Checked, found: Found) -> float:
    """Of all designs proposed, over the mean of the table."""
    assert setup.lookup is not None, "a table is looked up in"
    sizes = np.array(setup.lookup.columns[SIZE])
    rows = (setup.lookup.row(trial.blueprint) for trial in found.records.trials.values())
    return float(sizes[[row for row in rows if row is not None]].mean() / sizes.mean())


if __name__ == "__main__":
    main()
