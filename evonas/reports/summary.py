"""A run in plain values: what `inspect --json` prints, and what the tables are made from."""

from pathlib import Path
from typing import Any

from evonas.evaluation.constraints import violations
from evonas.evaluation.measures import measure_scales
from evonas.runs.confirmed import rank_correlation
from evonas.runs.run import Run
from evonas.trial import Outcome, Trial

DAMAGED = "damaged"  # the status of a run that cannot be read


def run_summary(run: Run) -> dict[str, Any]:
    """The whole run, with the keys that scripts rely on."""
    records = run.records
    names = [objective.name for objective in records.objectives]
    point = records.volume.reference_point
    return {
        "run": run.name,
        "status": run.status,
        "ended": run.facts.get("ended"),
        "evaluations": records.evaluations,
        "budget": run.settings.budget.evaluations,
        "counts": records.counts(),
        "promotions": records.promotions,
        "rungs": rungs(run),
        "objectives": [
            {"name": o.name, "direction": o.direction, "unit": o.unit} for o in records.objectives
        ],
        "scales": measure_scales(run.settings, _measure_names(run)),
        "front": [
            {
                **_measured(run, trial.number),
                "fingerprint": trial.blueprint.fingerprint,
                "genes": run.space.alleles(trial.chromosome),
            }
            for trial, _ in run.front
        ],
        "alike": [
            {**_measured(run, number), "stand_in": other} for number, other in run.alike.items()
        ],
        "best": None if records.best is None else _measured(run, records.best),
        "confirmed": [
            {
                **_measured(run, number),
                "deviations": dict(confirmed.deviations),
                "count": confirmed.count,
                "failed": confirmed.failed,
                "observed": dict(records.outcomes[number].measures),
            }
            for number, confirmed in records.confirmed.items()
        ],
        "rank_correlation": rank_correlation(records),
        "knee": None if run.knee is None else run.knee[0].number,
        "hypervolume": records.volume.value,
        "reference_point": None if point is None else dict(zip(names, point, strict=True)),
        "seconds": run.seconds,
        "utilisation": run.utilisation,
    }


def trial_summary(run: Run, trial: Trial, outcome: Outcome) -> dict[str, Any]:
    """One trial: what it is, what came of it, and what it has from its parents."""
    genes = run.space.alleles(trial.chromosome)
    return {
        "number": trial.number,
        "measures": dict(outcome.measures),
        "run": run.name,
        "status": outcome.status,
        "error": {"kind": outcome.error_kind, "text": outcome.error_text},
        "fingerprint": trial.blueprint.fingerprint,
        "seed": trial.seed,
        "attempts": outcome.attempts,
        "source": outcome.source,
        "training_of": outcome.notes.training_of,
        "ladder": outcome.details.get("compression", []),
        "seconds": outcome.seconds,
        "curve": list(outcome.curve),
        "details": {**outcome.details, **outcome.notes.to_dict()},
        "rung": trial.rung,
        "continues": trial.continues,
        "continued_by": run.records.promoted.get(trial.number),
        "operator": trial.operator,
        "parents": [_parent(run, number, genes) for number in trial.parents],
        "genes": genes,
    }


def rungs(run: Run) -> list[dict[str, Any]]:
    """What each rung trains on, and how many trials finished there with a measure; the top last."""
    records, own = run.records, run.settings.fidelity
    reached = [len(records.pruned.get(rung, ())) for rung in range(len(own.rungs) - 1)]
    pairs = zip(own.rungs, [*reached, len(records.feasible)], strict=False)
    return [{own.of: amount, "trials": trials} for amount, trials in pairs]


def damaged_summary(folder: Path, why: str) -> dict[str, Any]:
    """A run that cannot be read, in a line."""
    return {"run": folder.name, "status": DAMAGED, "error": why}


def runs_summary(run: Run) -> dict[str, Any]:
    """One run in a line."""
    records = run.records
    best = None if records.best is None else _measured(run, records.best)
    return {
        "run": run.name,
        "status": run.status,
        "space": run.space.name,
        "data": run.settings.data.name,
        "evaluations": records.evaluations,
        "budget": run.settings.budget.evaluations,
        "front": len(run.front),
        "objective": records.objectives[0].name,
        "best": best,
        "seconds": run.seconds,
    }


def _measure_names(run: Run) -> list[str]:
    """Objectives first, then what else was measured."""
    own = [objective.name for objective in run.records.objectives]
    found = [name for outcome in run.records.outcomes.values() for name in outcome.measures]
    return list(dict.fromkeys([*own, *found]))


def _measured(run: Run, number: int) -> dict[str, Any]:
    """A design's measures: means where it is confirmed."""
    return {"number": number, "measures": dict(run.records.measures(number))}


def _parent(run: Run, number: int, genes: dict[str, Any]) -> dict[str, Any]:
    """A parent and the genes in which the child differs from it."""
    own = run.space.alleles(run.records.trials[number].chromosome)
    changed = {
        name: [own.get(name), genes.get(name)]
        for name in dict.fromkeys([*own, *genes])
        if own.get(name) != genes.get(name)
    }
    return {"number": number, "changed": changed}


def nearest_miss(run: Run) -> str:
    """What kept the design that came nearest from being feasible; empty if no constraint did.

    Trials that failed kept the constraints that could be checked before: of these the last is
    told, and else the one that broke its constraints by least.
    """
    records = run.records
    failed = [outcome for outcome in records.outcomes.values() if outcome.status == "failed"]
    if failed:
        return f"Trial {failed[-1].number} failed: {failed[-1].error_text}"
    finished = records.history().finished
    excesses = [(past.excess, past.number) for past in finished if past.excess is not None]
    least, number = min(excesses, default=(0.0, 0))
    if least <= 0:
        return ""
    nearest = records.outcomes[number]
    why = nearest.error_text or "; ".join(violations(nearest.measures, records.constraints))
    return f"Trial {number} came nearest: {why}. Loosen the constraint, or choose another space."


def top_trials(run: Run, count: int) -> list[dict[str, Any]]:
    """The best feasible trials of the first objective."""
    records = run.records
    fitness = records.fitness_matrix(records.feasible)[:, 0]
    order = (-fitness).argsort(kind="stable")[:count]
    return [_measured(run, records.feasible[index]) for index in order]
