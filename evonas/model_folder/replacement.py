"""Several files of a folder replaced together: a reader finds all old ones or all new ones.

New files are written into a folder inside the folder. Renaming that is the moment from which they
count; then each moves to its place. If the process ends in between, whoever opens the folder next
moves the rest. The folder itself stays: it may be mounted, or somebody's working folder.
"""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain, count
from pathlib import Path

from evonas.errors import ExportError
from evonas.files import lock_folder, make_folder

STAGED = ".evonas-new"  # files that are being written
READY = ".evonas-ready"  # files that count already, on the way to their places


def is_free(folder: Path) -> bool:
    """True if nothing is there but what a process that ended left half-written."""
    if not folder.exists() and not folder.is_symlink():
        return True
    return folder.is_dir() and all(entry.name == STAGED for entry in folder.iterdir())


def next_free(folder: Path) -> Path:
    """The folder, or that with the next number behind its name, of which nothing is there."""
    numbers = (folder.with_name(f"{folder.name}-{number}") for number in count(2))
    return next(each for each in chain([folder], numbers) if is_free(each))


def new_folder(wanted: str | Path) -> Path:
    """The folder that somebody wants to be written.

    Raises:
        ExportError: Something is there.
    """
    folder = Path(wanted).expanduser()
    if not is_free(folder):
        raise ExportError(f"{folder} is there already and not empty. Give another folder by --to.")
    return folder


@contextmanager
def replacing(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """A folder to write files into, which then replace those of `folder` all at once.

    Args:
        names: What they may be called.

    Raises:
        ExportError: A folder is where a file would be.
    """
    is_new = not folder.exists()
    make_folder(folder)
    finish(folder)
    for name in names:
        if (folder / name).is_dir():
            raise ExportError(f"{folder / name} is a folder, and has to be a file. Move it away.")
    staged = folder / STAGED
    try:
        shutil.rmtree(staged, ignore_errors=True)
        make_folder(staged)
        yield staged
        staged.rename(folder / READY)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        if is_new:
            with suppress(OSError):
                folder.rmdir()
        raise
    finish(folder)


def finish(folder: Path) -> None:
    """Moves the files that count to their places, after a process that ended before it could."""
    ready = folder / READY
    if not ready.is_dir():
        return
    for file in sorted(ready.iterdir()):
        with suppress(FileNotFoundError):  # another process moved it
            file.replace(folder / file.name)
    with suppress(FileNotFoundError):
        ready.rmdir()


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keeps other processes from writing to the folder meanwhile.

    Raises:
        ExportError: Another one does.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(lock_folder(folder))
        except BlockingIOError:
            raise ExportError(
                f"Another process is retraining {folder}. Wait until it is done, or stop it."
            ) from None
        yield
