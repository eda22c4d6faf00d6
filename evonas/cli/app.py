"""All commands, in the order of their help. Each loads what it needs only when it is called."""

import typer

from evonas.cli.command import command
from evonas.cli.of_machine import doctor
from evonas.cli.of_models import compress, export, latency, predict, retrain, tune
from evonas.cli.of_networks import models, spaces, weights
from evonas.cli.of_runs import confirm, inspect, repair, resume, runs, search

COMMANDS = (
    search,
    resume,
    confirm,
    runs,
    inspect,
    repair,
    spaces,
    models,
    weights,
    latency,
    export,
    tune,
    retrain,
    compress,
    predict,
    doctor,
)

app = typer.Typer(
    help="Search neural architectures, and export and retrain what was found.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for each in COMMANDS:
    app.command()(command(each))
