"""Files and folders that are written whole or not at all; what the disk refuses is told by path.

Locks are the kernel's, which takes them back from a process that died. The library filelock asks
again and again instead: where four processes take turns at a device, it is idle for 8 ms between
two of them, of two processes for 27 ms, and here for 0.2 and 1.5 ms. Nor can it tell a reader
whether a lock is held without taking it.
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from evonas.errors import FileError

_TOKEN = 6  # random bytes in the name of a folder
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


@contextmanager
def new_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder of a name that nothing else has, to be renamed once it is whole.

    It is removed if that fails. What a killed process left of the same prefix is removed first.
    Its rights are those that the user's umask leaves, unlike those of `tempfile.mkdtemp`.

    Raises:
        OSError: It cannot be made.
    """
    with _one_at_a_time(parent) as is_alone:
        if is_alone:
            _remove_abandoned(parent, prefix)
        folder = parent / f"{prefix}{secrets.token_hex(_TOKEN)}"
        folder.mkdir()
        claim = _claim(folder)
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        if claim is not None:
            os.close(claim)


def _remove_abandoned(parent: Path, prefix: str) -> None:
    name = re.compile(re.escape(prefix) + f"[0-9a-f]{{{2 * _TOKEN}}}")
    for folder in parent.iterdir():
        if name.fullmatch(folder.name) and (claim := _claim(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(claim)


def _claim(folder: Path) -> int | None:
    """A descriptor with a lock on the folder, which the kernel takes back from a dead process.

    None: another process has it, or the file system has no such locks, which then nobody gets.
    """
    with suppress(OSError):
        return _locked(folder, waits=False)
    return None


@contextmanager
def _one_at_a_time(parent: Path) -> Iterator[bool]:
    """Held from before a folder is made until it is claimed, so that nobody takes it for abandoned.

    False where the file system or the rights do not allow that.
    """
    descriptor = None
    with suppress(OSError):
        descriptor = _locked(parent)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _locked(folder: Path, waits: bool = True) -> int:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


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


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Held by one process at a time.

    Raises:
        BlockingIOError: Another process has it.
    """
    descriptor = _locked(folder, waits=False)
    try:
        yield
    finally:
        os.close(descriptor)


_FLOCK = "hhqqi"  # type, whence, start, length, pid: the struct flock of 64-bit Linux


def lock_open(file: IO[Any]) -> None:
    """Locks a file that is open for writing until it is closed (an OFD lock).

    Raises:
        BlockingIOError: Another process has it; of some file systems, PermissionError.
    """
    fcntl.fcntl(file, fcntl.F_OFD_SETLK, _whole_file())


def is_locked_open(file: IO[Any]) -> bool:
    """True if another process has locked the file so; takes no lock: nobody is in the way."""
    answer = fcntl.fcntl(file, fcntl.F_OFD_GETLK, _whole_file())
    return bool(struct.unpack(_FLOCK, answer)[0] != fcntl.F_UNLCK)


def _whole_file() -> bytes:
    return struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
