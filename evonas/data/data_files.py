"""Files that a data set is expected to have."""

import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from evonas.errors import DataError, EvonasError
from evonas.settings import DataSettings

Item = TypeVar("Item")
Result = TypeVar("Result")

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


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


def irregular(file: Path) -> str | None:
    """What there is in place of a regular file; None: nothing. Opening a pipe waits for ever.

    Raises:
        OSError: There is no such file, or it cannot be looked at.
    """
    kind = stat.S_IFMT(file.stat().st_mode)
    return None if kind == stat.S_IFREG else KINDS.get(kind, "no regular file")


def read_bytes(file: Path) -> bytes:
    """All of a file.

    Raises:
        DataError: It is missing, empty or cannot be read.
    """
    try:
        kind = irregular(file)
        content = b"" if kind else file.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{file} is missing.") from None
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}.") from None
    if not content:
        raise DataError(f"{file} is {kind or 'empty'}.")
    return content


def read_text(file: Path) -> str:
    """All of a text file in UTF-8, without the mark that some editors begin it with.

    Raises:
        DataError: It is missing or cannot be read, or is no such text.
    """
    try:
        kind = irregular(file)
        if kind is None:
            return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise DataError(f"{file} is no text in UTF-8.") from None
    raise DataError(f"{file} is {kind}.")


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
