"""Runs on disk: `folder` and `ledger` write them, `load_run` reads them back."""

from evonas.runs.run import Run, load_run
from evonas.runs.run_folder import find_run, run_folders

__all__ = ["Run", "find_run", "load_run", "run_folders"]
