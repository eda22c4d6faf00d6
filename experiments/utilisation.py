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

Where large designs are the better ones, good news comes late, which costs any search something.
`told_in_turn` tells that from a preference for quick designs: the same evolver, with durations by
size again, is told of no outcome early. One counts as in flight until as many are back as were
dispatched before it. What knowing quick designs sooner costs, this evolver would save.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import accumulate
from typing import Any

import numpy as np
from record import parser, report

from evonas.driver.loop import Search
from evonas.driver.preparation import Checked, Setup, check, set_up
from evonas.evolution.evolver import Proposal
from evonas.evolution.pygad_evolver import PygadEvolver
from evonas.executors.packing import Place
from evonas.executors.virtual_executor import VirtualExecutor
from evonas.reports.progress import SilentDisplay
from evonas.runs.ledger import Ledger
from evonas.runs.records import Records
from evonas.runs.run_folder import IN_MEMORY
from evonas.settings import Words
from evonas.trial import Assignment, Finished, History, Outcome

SIZE = "macs"
MEAN_S = 600
GENERATION = 20  # trials, at least


class WatchedExecutor(VirtualExecutor):
    """Notes when each trial was dispatched, and what the driver's turns took."""

    def _open(self) -> None:
        super()._open()
        self.started: dict[int, float] = {}
        self.turns: list[float] = []

    def _launch(self, assignment: Assignment, place: Place) -> None:
        super()._launch(assignment, place)
        self.started[assignment.number] = self._now

    def _charge(self) -> None:
        before = self._now
        super()._charge()
        self.turns.append(self._now - before)

    def utilisation(self, outcomes: Sequence[Outcome]) -> float:
        """Of all workers, until the last dispatch."""
        last = max(self.started.values())
        spans = [(self.started[outcome.number], outcome.seconds) for outcome in outcomes]
        return sum(min(seconds, last - start) for start, seconds in spans) / (self.workers * last)


class ToldInTurn(PygadEvolver):
    """The default evolver, which knows the outcome of trial n once n outcomes are in."""

    @cached_property
    def _told(self) -> list[Finished]:
        return []

    @cached_property
    def _early(self) -> dict[int, Finished]:
        return {}

    def invent(self, history: History, numbers: Sequence[int]) -> list[Proposal]:
        """See `Evolver.invent`."""
        read = len(self._told) + len(self._early)
        self._early.update((new.number, new) for new in history.finished[read:])
        for number in sorted(self._early):
            if number <= len(history.finished):
                self._told.append(self._early.pop(number))
        early = {number: finished.chromosome for number, finished in self._early.items()}
        return super().invent(History(self._told, {**history.in_flight, **early}), numbers)


@dataclass(frozen=True)
class Task:
    """The searches of one seed, judged after so many evaluations."""

    words: tuple[str, ...]
    seed: int
    at: tuple[int, ...]


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
    words.add_argument("--first-seed", type=int, default=0, help="of these pairs")
    words.add_argument("--processes", type=int, default=2, help="for these pairs (%(default)s)")
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
        at = tuple(int(count) for count in given.at.split(","))
        seeds = range(given.first_seed, given.first_seed + given.seeds)
        by_size = (*common, f"evaluator.duration={SIZE}")
        result |= bias([Task(by_size, seed, at) for seed in seeds], given.processes)
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


def searched(setup: Checked, is_in_turn: bool = False) -> Found:
    """A search by the real loop, all of it in memory."""
    parts: Setup = set_up(setup, IN_MEMORY, setup.facts)
    settings = setup.settings
    if is_in_turn:
        evolver = ToldInTurn(settings.evolver, parts.space, settings.run.seed, setup.start.designs)
        parts = replace(parts, evolver=evolver)
    executor = WatchedExecutor(parts.evaluator, settings.executor, settings.executor.workers or 1)
    ledger = Ledger.create(IN_MEMORY, setup.facts)
    display = SilentDisplay("simulated", settings, [])
    ledger.clock = display.clock = executor.clock
    records = Records(setup.objectives, settings.constraints)
    Search(parts, records, ledger, executor, display).run()
    ledger.close()
    return Found(records, executor)


def bias(tasks: Sequence[Task], processes: int) -> dict[str, Any]:
    """What durations by size cost the evolver, and one that has no use of early outcomes."""
    with ProcessPoolExecutor(processes) as pool:
        # (seed, search, figure)
        found = np.array(list(pool.map(figures, tasks, chunksize=4)))
    by_size, dealt_out, in_turn = found.transpose(1, 2, 0)
    names = [f"regret_at_{count}" for count in tasks[0].at]
    names += ["mean_regret_by_finish", "mean_regret_by_dispatch", "size_of_proposals"]
    return {
        "bias": {
            name: compared({"by_size": by_size[i], "dealt_out": dealt_out[i]})
            for i, name in enumerate(names)
        },
        "told_in_turn": {
            name: compared({"as_usual": by_size[i], "in_turn": in_turn[i]})
            for i, name in enumerate(names)
        },
        "seeds": len(tasks),
    }


def figures(task: Task) -> list[list[float]]:
    """Of three searches: durations by size, these dealt out, and by size but told in turn."""
    own = ("executor.workers=8", "executor.charge_proposals=false")
    setup = checked((*task.words, *own, f"budget.evaluations={max(task.at)}"))
    kinds = ((True, False), (False, False), (True, True))
    return [
        figures_of(setup, searched(timed(setup, task.seed, is_by_size), is_in_turn), task.at)
        for is_by_size, is_in_turn in kinds
    ]


def figures_of(setup: Checked, found: Found, at: Sequence[int]) -> list[float]:
    """Regret at these counts, its means by finish and by dispatch, and the mean size."""
    outcomes = found.records.outcomes
    finished = regrets(setup, outcomes.values())
    dispatched = regrets(setup, [outcomes[number] for number in sorted(outcomes)])
    means = [float(np.mean(curve[GENERATION:])) for curve in (finished, dispatched)]
    return [*(finished[n - 1] for n in at), *means, mean_size(setup, found)]


def compared(pair: Mapping[str, np.ndarray]) -> dict[str, float]:
    """One figure of two kinds of searches, (seeds,) each: means, and what the second is less."""
    one, other = pair.values()
    error = (one - other).std(ddof=1) / np.sqrt(len(one))
    return {
        **{name: round(float(values.mean()), 4) for name, values in pair.items()},
        "difference": round(float((one - other).mean()), 4),
        "standard_error": round(float(error), 4),
    }


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
