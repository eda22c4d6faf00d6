"""Commands and their help. Each loads what it needs only when it is called."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer

from evonas import interrupts
from evonas.errors import EvonasError, SettingsError, WorkFailed
from evonas.files import EXHAUSTED, refusal
from evonas.reports.escape import tell
from evonas.standard_output import STDERR, led_to

Parameters = ParamSpec("Parameters")

app = typer.Typer(
    help="Search neural architectures, and export and retrain what was found.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Settings, for example run.seed=7."),
]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's name under runs/, or its folder.")
]
ModelFolder = Annotated[
    Path, typer.Argument(metavar="DIR", help="A folder that evonas export wrote.")
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust", help="Use files, model.py among them, that are not as evonas wrote them."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]

USER_MISTAKE = 2
WORK_FAILED = 1

documents: list[str] = []  # what a command with --json has to say


def command(function: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Registers a command whose mistakes by users end with their message and no traceback."""

    @app.command()
    @wraps(function)
    def wrapped(*arguments: Parameters.args, **options: Parameters.kwargs) -> None:
        alone = documents_alone() if options.get("json") else nullcontext()
        try:
            with alone:
                function(*arguments, **options)
        except EvonasError as error:
            if not interrupts.came():  # or else it tells what the signal did to a library
                tell("\n".join(error.problems))
            raise typer.Exit(
                WORK_FAILED if isinstance(error, WorkFailed) else USER_MISTAKE
            ) from None
        except OSError as problem:
            if problem.errno not in EXHAUSTED:
                raise
            tell(str(refusal(problem)))
            raise typer.Exit(WORK_FAILED) from None
        except KeyboardInterrupt:
            interrupts.leave_mark()
            raise typer.Exit(interrupts.INTERRUPTED) from None

    return wrapped


@contextmanager
def documents_alone() -> Iterator[None]:
    """Standard output gets what `say` says as JSON; all else that is printed, standard error."""
    documents.clear()
    try:
        with led_to(STDERR), redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stdout.write("".join(documents))


def say(values: Any, as_json: bool, table: Callable[[Any, Any], None]) -> None:
    """Prints plain values as JSON, or by the function that makes a table of them."""
    if as_json:
        from evonas.runs.folder import as_json as text

        documents.append(text(values))
        return
    from evonas.reports.console import PlainConsole

    # Not a terminal: wide enough that no column is cut.
    table(values, PlainConsole(width=None if sys.stdout.isatty() else 160))


@command
def search(words: Words = None, json: Json = False) -> None:
    """Start a run and work on it until its budget is spent.

    Without words: mobile cells on the bundled digits, in less than three minutes on two cores.
    """
    from evonas import driver

    _report(driver.search(words or []), json)


@command
def resume(run: RunName, words: Words = None, json: Json = False) -> None:
    """Go on with a run that was stopped, or beyond its budget.

    budget.evaluations=+50 adds evaluations, data.path=NEW says where images have moved; else only
    budget, executor and display may change. A run of evaluator=python imports the module that its
    evaluator.function names: resume such a run only if you trust where it comes from.
    """
    from evonas import driver
    from evonas.runs import find_run

    _report(driver.resume(find_run(run), words or []), json)


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


@command
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


@command
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


@command
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


@command
def spaces(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One of them, or the path of a file.")
    ] = None,
    words: Words = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Show so many designs drawn by run.seed.")
    ] = None,
    json: Json = False,
) -> None:
    """List the search spaces, or show one of them.

    Words may set constraints.* on counted measures, full.*, measure.scale and run.seed.
    """
    if name is None and sample is not None:
        raise SettingsError("--sample draws from one space. Write evonas spaces NAME --sample 3.")
    from evonas.reports.spaces import print_space, print_spaces, space_summary, spaces_summary
    from evonas.space import known_parts, known_spaces, load_part, load_space

    if name is not None:
        say(space_summary(name, words or [], sample), json, print_space)
        return
    found = []
    loaders = {
        **dict.fromkeys(known_spaces(), load_space),
        **dict.fromkeys(known_parts(), load_part),
    }
    for known, load in loaders.items():
        try:
            found.append(spaces_summary(load(known)))
        except EvonasError as error:  # one damaged file must not hide the others
            tell(str(error))
    say(found, json, print_spaces)


@command
def models(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One of them.")] = None,
    input: Annotated[
        str | None, typer.Option(metavar="CxHxW", help="Count at this input, as in 3x96x96.")
    ] = None,
    classes: Annotated[int | None, typer.Option(min=1, help="Count with so many classes.")] = None,
    table: Annotated[
        bool, typer.Option("--table", help="Show each layer: output, counts, receptive field.")
    ] = False,
    json: Json = False,
) -> None:
    """List the published networks, or count one of them."""
    if table and name is None:
        raise SettingsError("--table shows one network. Write evonas models NAME --table.")
    from evonas.presets import preset, presets
    from evonas.reports.models import model_summary, print_model, print_model_table, print_models

    if name is None:
        found = [model_summary(each, input, classes) for each in presets().values()]
        say(found, json, print_models)
    else:
        summary = model_summary(preset(name), input, classes, with_layers=table)
        say(summary, json, print_model_table if table else print_model)


@command
def latency(
    model: Annotated[
        str,
        typer.Argument(
            metavar="DIR|PRESET",
            help="A folder that evonas export wrote, or a name that evonas models lists.",
        ),
    ],
    words: Words = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Measure a model on this device, in turns with a fixed reference network.

    Words may set latency.*, as in latency.runtime=torch, and of a published network
    full.resolution_px and full.width. Torch's runtimes run model.py of the folder.
    """
    from evonas.delivery.measure import latency_summary
    from evonas.reports.latency import print_latency

    say(latency_summary(model, words or [], trust), json, print_latency)


@command
def export(
    run: RunName,
    to: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder to write; must be new or empty.")
    ],
    pick: Annotated[str, typer.Option(metavar="knee|best|NUMBER", help="Which design.")] = "knee",
    where: Annotated[
        str | None,
        typer.Option(
            metavar="LIMITS",
            help="Only designs within limits, as in accuracy.min=0.97,latency_ms.max=2.",
        ),
    ] = None,
    scale: Annotated[
        str,
        typer.Option(metavar="full|proxy", help="full: fresh weights; proxy: the trained ones."),
    ] = "full",
    json: Json = False,
) -> None:
    """Write a design of a run as a model folder.

    The folder holds plain torch source, weights, ONNX, recipe, check and card.
    """
    from evonas.delivery.export import materialise
    from evonas.reports.models import print_export
    from evonas.runs import find_run, load_run

    say(materialise(load_run(find_run(run)), to, pick, where, scale), json, print_export)


@command
def retrain(
    model: ModelFolder, words: Words = None, trust: Trust = False, json: Json = False
) -> None:
    """Train an exported model by its own recipe.

    Words may change data.* and training.*, for example training.epochs=100. This runs model.py of
    the folder, if it is the file that evonas wrote.
    """
    from evonas.delivery import retrain as retraining
    from evonas.reports.models import print_retrain

    say(retraining.retrain(model, words or [], trust), json, print_retrain)


@command
def predict(
    model: ModelFolder,
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE|FOLDER...", help="Image files, or folders of them."),
    ],
    csv: Annotated[Path | None, typer.Option(help="Write all predictions to this file.")] = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Run an exported model on images.

    That is its ONNX form: no code of the folder is run.
    """
    from evonas.delivery.predict import as_rows
    from evonas.delivery.predict import predict as predict_images
    from evonas.reports.models import print_predictions

    results = predict_images(model, images, trust)
    if csv is not None:
        from evonas.reports.csv_file import write_csv

        write_csv(as_rows(results), csv)
        tell(f"{len(results)} predictions written to {csv}.")
    if csv is None or json:
        say(results, json, print_predictions)


@command
def doctor(words: Words = None, json: Json = False) -> None:
    """Try out what this machine offers, and estimate time and disk of a search.

    Words are those of the search that is meant, as in evonas doctor space=nano data=cifar10.
    """
    from dataclasses import asdict

    from evonas.doctor import Check, examine
    from evonas.reports.doctor import print_checks

    found: list[Check] = []

    def noted() -> Iterator[Check]:
        for check in examine(words or []):
            found.append(check)
            yield check

    if json:
        list(noted())
        say({"checks": [asdict(check) for check in found]}, True, print_checks)
    else:
        say(noted(), False, print_checks)
    if not all(check.ok for check in found):
        raise typer.Exit(WORK_FAILED)
