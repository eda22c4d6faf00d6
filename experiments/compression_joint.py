"""Whether architecture and compression are better searched together than one after the other.

For each seed two ways spend the same number of evaluations. `together`: one search of the space
with compression. `after`: a search of the space alone with all but some, which then go into
compressing what its front holds, best first, by the usual ways. Both are worth the hypervolume of
accuracy, latency and size over one reference point: the worst of each that any design of either
way has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from record import parser, report
from trainings import checked, side_by_side

import evonas
from evonas.driver.preparation import set_up
from evonas.executors.executor import run_trial
from evonas.pareto import front, hypervolume
from evonas.runs import Run
from evonas.trial import Assignment, Outcome

OBJECTIVES = ("accuracy", "latency_ms", "size_mib")
SIGNS = np.array([1.0, -1.0, -1.0])

# What somebody who has a network in hand would do to it.
USUAL: Sequence[Mapping[str, Any]] = (
    {"quantisation": {"method": "int8"}},
    {"pruning": {"method": "channels", "ratio": 0.3}, "quantisation": {"method": "int8"}},
    {"quantisation": {"method": "weights", "bits": 4}},
    {"pruning": {"method": "channels", "ratio": 0.5}, "quantisation": {"method": "int8"}},
)


@dataclass(frozen=True)
class Job:
    """One way with one seed."""

    way: str
    seed: int
    words: tuple[str, ...]
    space: str
    evaluations: int
    share: float


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--data", metavar="DIR", help="a folder of classes; without, the digits")
    words.add_argument("--space", default="mobile_cells", help="%(default)s")
    words.add_argument("--evaluations", type=int, default=40, help="of each way (%(default)s)")
    words.add_argument("--share", type=float, default=0.4, help="that compresses (%(default)s)")
    words.add_argument("--seeds", type=int, default=3, help="%(default)s")
    words.add_argument("--first-seed", type=int, default=0, help="%(default)s")
    words.add_argument("--workers", type=int, default=2, help="processes (%(default)s)")
    words.add_argument("settings", nargs="*", help="settings of all searches, KEY=VALUE")
    given = words.parse_args()
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    data = ["data=folder", f"data.path={given.data}"] if given.data else []
    common = (*data, f"objectives={','.join(OBJECTIVES)}", *given.settings)
    jobs = [
        Job(way, seed, common, given.space, given.evaluations, given.share)
        for seed, way in product(seeds, WAYS)
    ]
    measured = side_by_side(done, jobs, given)
    designs = dict(zip([(job.way, job.seed) for job in jobs], measured, strict=True))
    rows = [_compared(seed, {way: designs[way, seed] for way in WAYS}) for seed in seeds]
    gains = [row["together"]["hypervolume"] / row["after"]["hypervolume"] for row in rows]
    report(given, {"gain": float(np.median(gains)), "gains": gains, "seeds": rows})


def done(job: Job) -> list[dict[str, float]]:
    """Measures of all designs that a way has measured."""
    with TemporaryDirectory() as folder:
        return [
            {name: outcome.measures[name] for name in OBJECTIVES}
            for outcome in WAYS[job.way](job, Path(folder))
            if outcome.status == "complete"
        ]


def together(job: Job, folder: Path) -> list[Outcome]:
    run = _search(job, f"{job.space}+compression", job.evaluations, folder)
    return list(run.records.outcomes.values())


def after(job: Job, folder: Path) -> list[Outcome]:
    """Winners are trained again for each compression: to the same weights, by the same seed."""
    compressions = round(job.share * job.evaluations)
    run = _search(job, job.space, job.evaluations - compressions, folder)
    parts = checked((*_words(job, job.space, job.evaluations), "executor=inline"))
    setup = set_up(parts, folder, parts.facts)
    winners = sorted(run.front, key=lambda pair: -pair[1].measures["accuracy"])
    outcomes = list(run.records.outcomes.values())
    for (trial, _), steps in islice(product(winners, USUAL), compressions):
        blueprint = replace(trial.blueprint, compression=steps)
        outcomes.append(run_trial(setup.evaluator, Assignment(replace(trial, blueprint=blueprint))))
    return outcomes


WAYS = {"together": together, "after": after}


def _words(job: Job, space: str, evaluations: int) -> tuple[str, ...]:
    own = (f"space={space}", f"run.seed={job.seed}", f"budget.evaluations={evaluations}")
    return (*job.words, *own)


def _search(job: Job, space: str, evaluations: int, folder: Path) -> Run:
    how = [f"run.folder={folder}", "executor=inline", "display=none"]
    return evonas.search([*_words(job, space, evaluations), *how])


def _compared(seed: int, designs: Mapping[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Both ways over the worst that any design has."""
    fitness = {
        way: np.array([[each[name] for name in OBJECTIVES] for each in rows]) * SIGNS
        for way, rows in designs.items()
    }
    worst = np.concatenate([*fitness.values()]).min(0)
    row: dict[str, Any] = {"seed": seed}
    for way, values in fitness.items():
        best = front(values)
        row[way] = {
            "designs": len(values),
            "hypervolume": float(hypervolume(values[best], worst)),
            "front": [designs[way][place] for place in best],
        }
    return row


if __name__ == "__main__":
    main()
