"""The command line: words to settings to one call to print."""

from evonas.cli.app import main

__all__ = ["main"]
