"""The command line: words to settings to one call to print."""

import os
import sys

from evonas import interrupts
from evonas.standard_output import STDERR, STDOUT


def main() -> None:
    """The console script `evonas`; signals are handled before anything is loaded."""
    interrupts.take_over()
    try:
        from evonas.cli.app import app

        app(prog_name="evonas")
    finally:
        interrupts.end_if_stopped()
        # Standard output is complete: what is printed while Python ends is no part of it.
        sys.stdout.flush()
        os.dup2(STDERR, STDOUT)


__all__ = ["main"]
