"""The same plain values as tables for a terminal."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from evonas.reports.format import duration, measure, number
from evonas.reports.summary import DAMAGED

SHOWN = 10  # numbers in a sentence


def print_repaired(saved: dict[str, Any], console: Console) -> None:
    """What was saved of a damaged run (see `runs.repair`)."""
    lost = f"{saved['lost_trials']} trials, {saved['lost_outcomes']} outcomes"
    console.print(f"saved  {saved['trials']} trials, {saved['outcomes']} outcomes")
    console.print(f"lost   {lost}")
    console.print(f"in     {saved['folder']}", soft_wrap=True)


def print_run(summary: dict[str, Any], console: Console) -> None:
    """Status, counts and front of a run (see `summary.run_summary`)."""
    counts = ", ".join(f"{n} {name}" for name, n in summary["counts"].items() if n) or "none yet"
    ended = f" ({summary['ended']})" if summary["ended"] else ""
    rows = [
        ("run", f"{summary['run']}, {summary['status']}{ended}"),
        ("evaluations", f"{summary['evaluations']} of {summary['budget']}"),
        ("trials", counts),
        *_rungs(summary),
        ("time", f"{duration(summary['seconds'])}{_utilisation(summary['utilisation'])}"),
    ]
    if summary["hypervolume"] is not None:
        point = ", ".join(measure(k, v) for k, v in summary["reference_point"].items())
        rows.append(("hypervolume", f"{summary['hypervolume']:.4g} over {point}"))
    grid = Table.grid(padding=(0, 2))
    for row in rows:
        grid.add_row(*row)
    console.print(grid)
    if summary["confirmed"]:
        console.print(_confirmed(summary))
    if summary["front"]:
        console.print(_front(summary))
        if summary["alike"]:
            console.print(told_alike(summary["alike"]), soft_wrap=True)
    else:
        console.print("No feasible design is complete yet.")


def told_alike(alike: Sequence[dict[str, Any]]) -> str:
    """Which members of the front are not shown, and why."""
    numbers = [str(member["number"]) for member in alike[:SHOWN]]
    more = ", ..." if len(alike) > SHOWN else ""
    trials = "1 more trial" if len(alike) == 1 else f"{len(alike)} more trials"
    differ = "differs" if len(alike) == 1 else "differ"
    return f"{trials} ({', '.join(numbers)}{more}) {differ} from these by less than the noise."


def print_trials(trials: Sequence[dict[str, Any]], console: Console) -> None:
    """Trials with their measures, in the order given."""
    names = list(dict.fromkeys(name for trial in trials for name in trial["measures"]))
    table = Table("trial", *names)
    for trial in trials:
        values = [measure(n, trial["measures"][n]) if n in trial["measures"] else "" for n in names]
        table.add_row(str(trial["number"]), *values)
    console.print(table)


def print_trial(summary: dict[str, Any], console: Console) -> None:
    """One trial in full (see `summary.trial_summary`)."""
    grid = Table.grid(padding=(0, 2))
    status = summary["status"] if summary["continued_by"] is None else "promoted"
    grid.add_row("trial", f"{summary['number']} of run {summary['run']}, {status}")
    if summary["continues"] is not None or summary["continued_by"] is not None or summary["rung"]:
        grid.add_row("rung", _rung(summary))
    if summary["error"]["text"]:
        reason = "filter" if summary["status"] == "filtered" else "constraint"
        grid.add_row("why", f"{summary['error']['kind'] or reason}: {summary['error']['text']}")
    for name, value in summary["measures"].items():
        grid.add_row(name, measure(name, value))
    if summary["source"] is not None:
        grid.add_row(
            "training", f"taken from trial {summary['source']}, which is the same at proxy scale"
        )
    if summary["training_of"] is not None:
        grid.add_row("training", f"that of trial {summary['training_of']}; compressed otherwise")
    if "taught_by" in summary["details"]:
        grid.add_row("taught by", _teacher(summary["details"]["taught_by"]))
    grid.add_row("seconds", f"{duration(summary['seconds'])}, {summary['attempts']} attempt(s)")
    grid.add_row("fingerprint", summary["fingerprint"])
    grid.add_row("made by", summary["operator"])
    console.print(grid)
    if summary["ladder"]:
        console.print(_ladder(summary["ladder"]))
    for parent in summary["parents"]:
        changes = ", ".join(f"{k} {a} → {b}" for k, (a, b) in parent["changed"].items())
        console.print(f"from trial {parent['number']}: {changes or 'nothing changed'}")
    genes = Table("gene", "allele")
    for name, allele in summary["genes"].items():
        genes.add_row(name, str(allele))
    console.print(genes)


def _ladder(rows: Sequence[dict[str, Any]]) -> Table:
    """The training and the steps behind it, with what each left: score, size and its seconds."""
    names = [name for name in rows[0] if name not in ("step", "seconds")]
    table = Table("after", *names, "seconds")
    for row in rows:
        table.add_row(row["step"], *(measure(n, row[n]) for n in names), duration(row["seconds"]))
    return table


def print_runs(runs: Sequence[dict[str, Any]], console: Console) -> None:
    """One line a run (see `summary.runs_summary`)."""
    table = Table("run", "status", "space", "data", "evaluations", "front", "best", "time")
    for run in runs:
        if run["status"] == DAMAGED:
            table.add_row(run["run"], DAMAGED)
            continue
        best = ""
        if run["best"]:
            name = run["objective"]
            value = run["best"]["measures"][name]
            best = f"{name} {measure(name, value)}"
        table.add_row(
            run["run"],
            run["status"],
            run["space"],
            run["data"],
            f"{run['evaluations']}/{run['budget']}",
            str(run["front"]),
            best,
            duration(run["seconds"]),
        )
    console.print(table)


def _front(summary: dict[str, Any]) -> Table:
    names = [objective["name"] for objective in summary["objectives"]]
    others = [name for name in summary["scales"] if name not in names]
    scales = {name: summary["scales"].get(name, "") for name in (*names, *others)}
    heads = [f"{name}\n({scale})" if scale else name for name, scale in scales.items()]
    table = Table("trial", *heads, "", title="Pareto front", title_justify="left")
    for member in summary["front"]:
        values = [measure(name, member["measures"][name]) for name in names]
        more = [number(member["measures"][name]) for name in others if name in member["measures"]]
        mark = "knee" if member["number"] == summary["knee"] else ""
        table.add_row(str(member["number"]), *values, *more, mark)
    return table


def _confirmed(summary: dict[str, Any]) -> Table:
    """What the search observed of designs that were trained again, and what that gave."""
    tau = summary["rank_correlation"]
    told = "" if tau is None else f"; rank correlation with the search {tau:.2f}"
    table = Table("trial", title=f"Trained again{told}", title_justify="left")
    names = [objective["name"] for objective in summary["objectives"]]
    for head in (*(f"{name}\nin the search, again" for name in names), "trainings"):
        table.add_column(head)
    for own in summary["confirmed"]:
        values = [f"{measure(name, own['observed'][name])}, {_again(own, name)}" for name in names]
        failed = f", {own['failed']} failed" if own["failed"] else ""
        table.add_row(str(own["number"]), *values, f"{own['count']}{failed}")
    return table


def _again(own: dict[str, Any], name: str) -> str:
    """Mean and deviation."""
    if not own["count"]:
        return "-"
    deviation = own["deviations"].get(name)
    mean = measure(name, own["measures"][name])
    return mean if deviation is None else f"{mean} ± {deviation:.2g}"


def _rungs(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """A row on successive halving, if there is any."""
    if not summary["rungs"]:
        return []
    of = next(iter(summary["rungs"][0]))
    unit = "epochs" if of == "epochs" else f"% of {of}"
    reached = ", ".join(f"{rung['trials']} at {rung[of]}" for rung in summary["rungs"])
    return [("rungs", f"{reached} {unit}; {summary['promotions']} promotions")]


def _rung(summary: dict[str, Any]) -> str:
    """`1, continues trial 3, goes on in trial 9`."""
    pieces = [str(summary["rung"])]
    if summary["continues"] is not None:
        pieces.append(f"continues trial {summary['continues']}")
    if summary["continued_by"] is not None:
        pieces.append(f"goes on in trial {summary['continued_by']}")
    return ", ".join(pieces)


def _teacher(told: int | str | None) -> str:
    if told is None:
        return "nobody: no trial had finished that could"
    return f"trial {told}" if isinstance(told, int) else told


def _utilisation(share: float | None) -> str:
    return "" if share is None else f", workers busy {share:.0%} of it"
