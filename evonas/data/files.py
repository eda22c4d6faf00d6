"""Files that a data set is expected to have."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from evonas.errors import DataError, EvonasError
from evonas.settings import DataSettings

Item = TypeVar("Item")
Result = TypeVar("Result")


def given_folder(settings: DataSettings, holds: str) -> Path:
    """The folder that data.path names.

    Args:
        holds: What lies in it, for the message.

    Raises:
        DataError: None is named, or there is none.
    """
    if settings.path is None:
        raise DataError(f"data={settings.name} needs data.path=DIR, a folder with {holds}.")
    if not settings.path.is_dir():
        raise DataError(
            f"There is no folder {settings.path}. Give data.path=DIR, a folder with {holds}."
        )
    return settings.path


def read_bytes(file: Path) -> bytes:
    """All of a file.

    Raises:
        DataError: It is missing, empty or cannot be read.
    """
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{file} is missing.") from None
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}.") from None
    if not content:
        raise DataError(f"{file} is empty.")
    return content


def each(read: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """What `read` gives for each item.

    Raises:
        DataError: With the problems of all items.
    """
    results, problems = [], []
    for item in items:
        try:
            results.append(read(item))
        except EvonasError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return results
