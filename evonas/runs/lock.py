"""One driver per run: an `flock` that the kernel releases whatever happens to its holder."""

import fcntl
import json
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from evonas.errors import RunError


class RunLock:
    """Held by the driver of a run while it works."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "run.lock"
        self._file = open(self.path, "a+", encoding="utf-8")  # noqa: SIM115 - held until exit

    def __enter__(self) -> Self:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(self.path)
            self._file.close()
            raise RunError(
                f"Run {self.path.parent.name} is being worked on by process {holder['pid']} on "
                f"{holder['host']}. Stop that one first, or wait until it is done."
            ) from None
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
    """True while some driver works on the run."""
    path = folder / "run.lock"
    if not path.exists():
        return False
    with open(path, encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(file, fcntl.LOCK_UN)
    return False


def _holder(path: Path) -> dict[str, str]:
    try:
        holder = json.loads(path.read_text())
        return {"pid": str(holder["pid"]), "host": str(holder["host"])}
    except (ValueError, KeyError):  # it has the lock and has not written its name yet
        return {"pid": "unknown", "host": "this machine"}
