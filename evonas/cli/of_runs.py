"""Commands that make runs and look at them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from evonas.cli.command import WORK_FAILED, Json, Words, say
from evonas.errors import EvonasError
from evonas.reports.escape import tell

RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's name under runs/, or its folder.")
]


def search(words: Words = None, json: Json = False) -> None:
    """Start a run and work on it until its budget is spent.

    Without words: mobile cells on the bundled digits, in less than three minutes on two cores.
    """
    from evonas import driver

    _report(driver.search(words or []), json)


def resume(run: RunName, words: Words = None, json: Json = False) -> None:
    """Go on with a run that was stopped, or beyond its budget.

    budget.evaluations=+50 adds evaluations, confirm.top=3 trains finalists again, data.path=NEW
    says where images have moved; else only budget, confirm, executor and display may change. A
    run of evaluator=python imports the module that its evaluator.function names: resume such a
    run only if you trust where it comes from.
    """
    from evonas import driver
    from evonas.runs import find_run

    _report(driver.resume(find_run(run), words or []), json)


def confirm(
    run: RunName,
    words: Words = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="Designs to train again [3, or confirm.top].")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Trainings of each, in all [confirm.seeds].")
    ] = None,
    json: Json = False,
) -> None:
    """Train the finalists of a run again, from fresh seeds, and choose by the means.

    The best of many short trainings is partly luck. Finalists are the best as observed and those
    that the search's model expects to be. confirm.epochs=20 trains them for longer. Stopped, it
    goes on by evonas resume.
    """
    from evonas import driver
    from evonas.runs import find_run

    _report(driver.confirm(find_run(run), words or [], top=top, seeds=seeds), json)


def _report(run: Any, as_json: bool) -> None:
    from evonas.reports.summary import nearest_miss, run_summary
    from evonas.reports.tables import print_run

    summary = run_summary(run)
    say(summary, as_json, print_run)
    if not as_json and summary["front"] and run.space.has_network:
        print(f"\nNext: evonas export {run.name} --to DIR")
    if not summary["front"]:
        ended = f"The search found no feasible design: {run.facts['ended']}."
        tell(f"{ended} {nearest_miss(run)}".rstrip())
        raise typer.Exit(WORK_FAILED)


def runs(json: Json = False) -> None:
    """List the runs in the folder runs/."""
    from evonas.reports.summary import damaged_summary, runs_summary
    from evonas.reports.tables import print_runs
    from evonas.runs import load_run, run_folders

    found = []
    for folder in run_folders(Path("runs")):
        try:
            found.append(runs_summary(load_run(folder)))
        except EvonasError as error:  # one damaged run must not hide the others
            tell(str(error))
            found.append(damaged_summary(folder, str(error)))
    say(found, json, print_runs)


def inspect(
    run: RunName,
    trial: Annotated[
        int | None, typer.Option(help="Show this trial: measures, genes, parents.")
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="Show the best trials of the first objective.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write all trials to this file.")] = None,
    json: Json = False,
) -> None:
    """Show a run, or one of its trials."""
    from evonas.reports import summary, tables
    from evonas.runs import find_run, load_run

    found = load_run(find_run(run))
    if csv is not None:
        from evonas.reports.csv_file import write_csv

        write_csv(found.rows(), csv)
        tell(f"{len(found.records.trials)} trials written to {csv}.")
    if trial is not None:
        say(summary.trial_summary(found, *found.pair(trial)), json, tables.print_trial)
    elif top is not None:
        say(summary.top_trials(found, top), json, tables.print_trials)
    elif csv is None or json:
        say(summary.run_summary(found), json, tables.print_run)


def repair(
    run: RunName,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder to write [RUN-repaired].")
    ] = None,
    json: Json = False,
) -> None:
    """Save what can be read of a damaged run as a new run, which can be inspected and resumed.

    The damaged run stays as it is.
    """
    from evonas.reports.tables import print_repaired
    from evonas.runs.repair import repair as repaired

    say(repaired(_run_folder(run), to).to_dict(), json, print_repaired)


def _run_folder(name: str) -> Path:
    """A folder given by path, or the run of that name: also of one that has no sound database."""
    from evonas.runs import find_run

    there = [path for path in (Path("runs", name), Path(name).expanduser()) if path.is_dir()]
    return there[0] if there else find_run(name)
