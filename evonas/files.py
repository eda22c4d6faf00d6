"""Files and folders that are written whole or not at all; what the disk refuses is told by path."""

import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from evonas.errors import FileError

_ROOM = "Make room there and try again."
_PLACE = "Choose a folder in which you may write."
_LIMIT = "Raise the limit (ulimit -n) and try again."

# What the outside world has against a file, and what helps. No design and no word is at fault.
REFUSALS = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: _ROOM,
    errno.EIO: "Is its disk in order?",
    errno.EROFS: _PLACE,
    errno.EACCES: _PLACE,
    errno.EPERM: _PLACE,
    errno.EMFILE: _LIMIT,
    errno.ENFILE: _LIMIT,
}

# Of these nobody is to blame, whatever the file was for.
EXHAUSTED = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE)


def refusal(problem: OSError, path: Path | str | None = None) -> FileError:
    """What to tell of a file or folder that the system refused."""
    what = path if path is not None else problem.filename
    advice = REFUSALS.get(problem.errno or 0, "")
    reason = (problem.strerror or str(problem)).lower()
    subject = f"{what} cannot be written" if what is not None else "A file cannot be opened"
    return FileError(f"{subject}: {reason}. {advice}".rstrip())


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turns what the system has against writing into a message.

    Raises:
        FileError: Names the path, the reason and what helps.
    """
    try:
        yield
    except OSError as problem:
        raise refusal(problem, path) from None


def make_folder(folder: Path) -> Path:
    """The folder, made if it is missing, with all above it.

    Raises:
        FileError: It cannot be made.
    """
    with told(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def new_folder(parent: Path, prefix: str) -> Path:
    """A new folder of a name that nothing else has, for what is renamed once it is whole.

    Its rights are those that the user's umask leaves, unlike those of `tempfile.mkdtemp`.

    Raises:
        OSError: It cannot be made.
    """
    folder = parent / f"{prefix}{secrets.token_hex(6)}"
    folder.mkdir()
    return folder


def write_atomically(path: Path, content: bytes | str) -> None:
    """Writes all of `content` or nothing, also when the machine stops half-way.

    Raises:
        FileError: The disk is full, or may not be written; what was there before stays.
    """
    if isinstance(content, str):
        content = content.encode()
    with told(path):
        if path.is_char_device() or path.is_fifo():
            path.write_bytes(content)
        else:
            _write_beside_and_move(path.resolve(), content)


def _write_beside_and_move(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


@contextmanager
def lock(file: Path) -> Iterator[None]:
    """Held by one process at a time; the others wait for it, and the kernel wakes the next.

    A library that asks again and again (filelock) would leave the device idle in between.

    Raises:
        FileError: The lock's file cannot be opened.
    """
    with told(file):
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # lets go
