"""The user's cache: what is slow to get and safe to lose."""

import os
from pathlib import Path

from evonas.errors import FileError
from evonas.files import refusal


def cache_folder(*parts: str) -> Path:
    """A folder of this user's for `parts`; made if missing.

    `EVONAS_CACHE` names another place; else `XDG_CACHE_HOME` or `~/.cache` counts.

    Raises:
        FileError: It cannot be made or written. No other place is taken without a word.
    """
    folder = _base().joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise FileError(f"{refusal(problem, folder)} {_advice()}") from None
    if not os.access(folder, os.W_OK):
        raise FileError(f"{folder} cannot be written. {_advice()}")
    return folder


def _base() -> Path:
    if own := os.environ.get("EVONAS_CACHE"):
        return Path(own).expanduser()
    if home := os.environ.get("XDG_CACHE_HOME"):
        return Path(home) / "evonas"
    try:
        return Path.home() / ".cache" / "evonas"
    except RuntimeError:
        raise FileError(f"There is no home folder for the cache. {_advice()}") from None


def _advice() -> str:
    return "Name a folder for the cache in the environment variable EVONAS_CACHE."
