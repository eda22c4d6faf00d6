"""One driver per run: a lock that the kernel releases whatever happens to its holder.

It belongs to the open file (OFD lock), because the kernel tells who asks whether such a lock is
held without giving it to him: a reader never stands in a driver's way. Of an `flock`, which is all
that the library filelock has, one can only find out by taking it.
"""

import fcntl
import json
import os
import socket
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

from evonas.errors import RunError
from evonas.files import told

_FLOCK = "hhqqi"  # type, whence, start, length, pid: the struct flock of 64-bit Linux


class RunLock:
    """Held by the driver of a run while it works."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "run.lock"
        with told(self.path):
            self._file = open(self.path, "a+", encoding="utf-8")  # noqa: SIM115 - held until exit

    def __enter__(self) -> Self:
        try:
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, _whole_file())
        except (BlockingIOError, PermissionError):
            holder = _holder(self.path)
            self._file.close()
            raise RunError(
                f"Run {self.path.parent.name} is being worked on by process {holder['pid']} on "
                f"{holder['host']}. Stop that one first, or wait until it is done."
            ) from None
        with told(self.path):
            self._file.truncate(0)
            self._file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
            self._file.flush()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._file.truncate(0)
        self._file.close()


def is_locked(folder: Path) -> bool:
    """True while some driver works on the run; takes no lock and writes nothing."""
    try:
        with open(folder / "run.lock", "rb") as file:
            answer = fcntl.fcntl(file, fcntl.F_OFD_GETLK, _whole_file())
    except OSError:  # no driver was here, or nobody may look
        return False
    return bool(struct.unpack(_FLOCK, answer)[0] != fcntl.F_UNLCK)


def _whole_file() -> bytes:
    return struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


def _holder(path: Path) -> dict[str, str]:
    try:
        holder = json.loads(path.read_text())
        return {"pid": str(holder["pid"]), "host": str(holder["host"])}
    except (ValueError, KeyError, TypeError):  # it has the lock and has not written its name yet
        return {"pid": "unknown", "host": "this machine"}
