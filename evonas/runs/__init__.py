"""Runs on disk: `folder` and `ledger` write them, `load_run` reads them back."""

from evonas.runs.folder import find_run, run_folders
from evonas.runs.run import Run, load_run

__all__ = ["Run", "find_run", "load_run", "run_folders"]
