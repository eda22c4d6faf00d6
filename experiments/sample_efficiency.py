"""How good evolvers are after so many evaluations, on a table of designs that are all evaluated.

Each evolver runs once for each seed, without trainings and without files. One objective: simple
regret, the best value of the table less that of the incumbent, the design with the best
observation; a lower one is better. Two: the share of the hypervolume of the table's own front.
Designs that come again are free for every evolver. `pygad_run` stands for `pygad.GA.run()`.
`compared` holds the first evolver less each other, paired by seed, as mean and standard error:
after as many evaluations, and after half as many ("100 to 200").
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from paired import is_evolver, paired
from record import parser, report

from evonas import pareto
from evonas.driver.loop import trial_seed
from evonas.driver.preparation import Checked, check
from evonas.evaluation.table_evaluator import TableEvaluator
from evonas.evolution import evolver_class
from evonas.settings import EvolverSettings, Words
from evonas.trial import Assignment, Finished, History, Outcome, Prefix, Trial

MOST_REPEATS = 20  # free proposals for each evaluation, before a searcher is taken to be stuck


@dataclass(frozen=True)
class Task:
    """One evolver with one seed."""

    words: tuple[str, ...]
    evolver: str
    seed: int
    evaluations: int
    in_flight: int


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--table", required=True, help="CSV file, may be compressed")
    words.add_argument("--space", required=True, help="name or file of its space")
    words.add_argument("--objectives", default="accuracy:max")
    words.add_argument("--observed", default="", help="columns to draw the first objective from")
    words.add_argument("--evolvers", default="pygad,aging,tpe")
    words.add_argument("--seeds", type=int, default=50)
    words.add_argument("--at", default="50,100,200")
    words.add_argument("--in-flight", type=int, default=1)
    words.add_argument("--workers", type=int, default=2)
    words.add_argument("--plot", type=Path, help="an SVG file to draw the curves into")
    given = words.parse_args()
    counts = [int(count) for count in given.at.split(",")]
    setting = settings_of(given)
    result: dict[str, Any] = {"at": counts, "measure": measure_of(setting)}
    for evolver in given.evolvers.split(","):
        tasks = [
            Task(setting, evolver, seed, max(counts), given.in_flight)
            for seed in range(given.seeds)
        ]
        with ProcessPoolExecutor(given.workers) as pool:
            found = list(pool.map(curve_of, tasks))
        curves = np.array([curve for curve, _ in found])
        chosen = curves[:, np.array(counts) - 1]
        result[evolver] = {
            "mean": chosen.mean(0).round(5).tolist(),
            "standard_error": (chosen.std(0) / np.sqrt(given.seeds)).round(5).tolist(),
            "each": chosen.round(5).tolist(),
        }
        result[evolver]["curve"] = curves.mean(0).round(5).tolist()
        result[evolver]["proposal_ms"] = round(float(np.median([ms for _, ms in found])), 3)
    result["compared"] = compared(result, counts)
    if given.plot:
        draw({n: each["curve"] for n, each in result.items() if is_evolver(each)}, given.plot)
    report(given, result)


def settings_of(given: argparse.Namespace) -> tuple[str, ...]:
    words = [f"space={given.space}", "evaluator=table", f"evaluator.path={given.table}"]
    words.append(f"objectives={given.objectives}")
    if given.observed:
        first = given.objectives.split(",")[0].split(":")[0]
        words.append(f"evaluator.observed.{first}={given.observed}")
    return tuple(words)


@cache
def checked(words: tuple[str, ...]) -> Checked:
    return check(Words(words))


def measure_of(words: tuple[str, ...]) -> str:
    return "regret" if len(checked(words).objectives) == 1 else "hypervolume share"


def compared(result: Mapping[str, Any], counts: Sequence[int]) -> dict[str, Any]:
    """Differences of the first evolver to the others, at equal and at half the evaluations."""
    (first, own), *others = ((name, each) for name, each in result.items() if is_evolver(each))
    return {
        f"{first} - {name}": paired(own["each"], counts, other["each"], counts)
        for name, other in others
    }


def curve_of(task: Task) -> tuple[list[float], float]:
    """The measure after 1, 2, ... evaluations; CPU milliseconds of a proposal, the mean."""
    setup = checked(task.words)
    assert setup.lookup is not None, "a table is looked up in"
    evaluator = TableEvaluator(setup.settings, setup.objectives, setup.lookup)
    outcomes, proposal_ms = searched(task, setup, evaluator)
    return curve_from(outcomes, setup), proposal_ms


def curve_from(outcomes: Sequence[Outcome], setup: Checked) -> list[float]:
    assert setup.lookup is not None, "a table is looked up in"
    names = [objective.name for objective in setup.objectives]
    signs = np.array([objective.fitness(1.0) for objective in setup.objectives])
    seen = signs * np.array([[o.measures[n] for n in names] for o in outcomes])
    truths = [{**o.measures, **o.details.get("truth", {})} for o in outcomes]
    true = signs * np.array([[truth[n] for n in names] for truth in truths])
    table = signs * np.array([setup.lookup.columns[name] for name in names]).T
    if len(names) == 1:
        incumbents = [int(seen[: n + 1, 0].argmax()) for n in range(len(seen))]
        return [float(table.max() - true[index, 0]) for index in incumbents]
    best = table[table[:, 0].argmax()]
    reference = np.array([np.quantile(table[:, 0], 0.25), *(1.05 * best[1:])])
    whole = pareto.hypervolume(table[pareto.front(table)], reference)
    return [pareto.hypervolume(true[: n + 1], reference) / whole for n in range(len(true))]


def searched(task: Task, setup: Checked, evaluator: TableEvaluator) -> tuple[list[Outcome], float]:
    """The evaluations in the order they finished, and CPU milliseconds of a proposal.

    Repeats are answered at once and not counted.
    """
    is_run = task.evolver == "pygad_run"
    named = EvolverSettings(name="pygad", engine="pygad_run")
    settings = named if is_run else EvolverSettings(name=task.evolver)
    evolver = evolver_class(settings)(settings, setup.space, task.seed)
    finished: list[Finished] = []
    known: dict[str, Outcome] = {}
    paid: list[Outcome] = []
    waiting: dict[int, tuple[float, ...]] = {}
    number, seconds = 0, 0.0
    while len(paid) < task.evaluations and number < MOST_REPEATS * task.evaluations:
        group = evolver.generation(number) if is_run else range(number, number + 1)
        began = time.process_time()
        proposals = evolver.propose(History(Prefix(finished), dict(waiting)), group)
        seconds += time.process_time() - began
        for proposal in proposals:
            waiting[number] = proposal.chromosome
            number += 1
        while waiting and (is_run or len(waiting) >= task.in_flight):
            oldest = next(iter(waiting))
            chromosome = waiting.pop(oldest)
            blueprint = setup.space.decode(chromosome)
            key = evaluator.training_key(blueprint)
            if key not in known:
                seed = trial_seed(task.seed, oldest)
                known[key] = evaluator(Assignment(Trial(oldest, chromosome, blueprint, seed)))
                if known[key].status == "complete":
                    paid.append(known[key])
            finished.append(Finished(oldest, chromosome, fitness_of(setup, known[key])))
    paid += paid[-1:] * (task.evaluations - len(paid))
    return paid[: task.evaluations], 1000 * seconds / number


def fitness_of(setup: Checked, outcome: Outcome) -> tuple[float, ...] | None:
    if outcome.status != "complete":
        return None
    return tuple(o.fitness(outcome.measures[o.name]) for o in setup.objectives)


def draw(curves: Mapping[str, Sequence[float]], path: Path) -> None:
    """The mean curves as lines, the number of evaluations across."""
    colours = ("#1b6ca8", "#c8553d", "#588157", "#7b2d8b", "#8a817c", "#e09f3e")
    width, height, margin = 640, 400, 50
    longest = max(len(curve) for curve in curves.values())
    top = max(max(curve[9:] or curve) for curve in curves.values())
    lines = []
    for index, (name, curve) in enumerate(curves.items()):
        points = " ".join(
            f"{margin + n / longest * (width - 2 * margin):.1f},"
            f"{height - margin - min(value / top, 1) * (height - 2 * margin):.1f}"
            for n, value in enumerate(curve)
        )
        colour = colours[index % len(colours)]
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
        place = f'x="{width - margin - 80}" y="{margin + 16 * index}"'
        lines.append(f'<text {place} fill="{colour}" font-size="12">{name}</text>')
    axis = f"M{margin},{margin} V{height - margin} H{width - margin}"
    lines.append(f'<path d="{axis}" fill="none" stroke="black"/>')
    lines.append(f'<text x="{margin}" y="{margin - 8}" font-size="12">{top:.3g}</text>')
    lines.append(f'<text x="{width - margin}" y="{height - 30}" font-size="12">{longest}</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
    path.write_text("\n".join([head, *lines, "</svg>"]))


if __name__ == "__main__":
    main()
