"""One driver per run: a lock that the kernel releases whatever happens to its holder.

It belongs to the open file, so that a reader can ask whether it is held without taking it.
"""

import json
import os
import socket
from pathlib import Path
from typing import Self

from evonas.errors import RunError
from evonas.files import is_locked_open, lock_open, told


class RunLock:
    """Held by the driver of a run while it works."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "run.lock"
        with told(self.path):
            self._file = open(self.path, "a+", encoding="utf-8")  # noqa: SIM115 - held until exit

    def __enter__(self) -> Self:
        try:
            lock_open(self._file)
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

    def __exit__(self, *ended: object) -> None:
        self._file.truncate(0)
        self._file.close()


def is_locked(folder: Path) -> bool:
    """True while some driver works on the run; takes no lock and writes nothing."""
    try:
        with open(folder / "run.lock", "rb") as file:
            return is_locked_open(file)
    except OSError:  # no driver was here, or nobody may look
        return False


def _holder(path: Path) -> dict[str, str]:
    try:
        holder = json.loads(path.read_text())
        return {"pid": str(holder["pid"]), "host": str(holder["host"])}
    except (ValueError, KeyError, TypeError):  # it has the lock and has not written its name yet
        return {"pid": "unknown", "host": "this machine"}
