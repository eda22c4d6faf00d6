"""What all commands share: how they are registered, end, and say what they found."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from functools import wraps
from typing import Annotated, Any, ParamSpec

import typer

from evonas import interrupts
from evonas.errors import EvonasError, WorkFailed
from evonas.files import EXHAUSTED, refusal
from evonas.reports.escape import printable, tell
from evonas.standard_output import STDERR, led_to

Parameters = ParamSpec("Parameters")

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Settings, for example run.seed=7."),
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
    """The command with an end: a user's mistake has its message and exit code, no traceback."""

    @wraps(function)
    def wrapped(*arguments: Parameters.args, **options: Parameters.kwargs) -> None:
        alone = documents_alone() if options.get("json") else nullcontext()
        try:
            with alone, interrupts.handled():  # which a main of ours has done already
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


def if_stopped(text: str) -> None:
    """What a command says when it is interrupted: the text and the command as it was typed."""
    interrupts.say(f"{text} {printable(shlex.join(['evonas', *sys.argv[1:]]))}")


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
        from evonas.runs.run_folder import as_json as text

        documents.append(text(values))
        return
    from evonas.reports.console import PlainConsole

    # Not a terminal: wide enough that no column is cut.
    table(values, PlainConsole(width=None if sys.stdout.isatty() else 160))
