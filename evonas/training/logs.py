"""Curves of a training in files: a table, or what TensorBoard shows."""

import csv
import importlib.util
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from evonas.errors import SettingsError
from evonas.files import write_atomically

CSV_FILE = "training.csv"
TENSORBOARD_FOLDER = "tensorboard"

Row = Mapping[str, float]  # name of a figure to its value after an epoch


class Log(Protocol):
    """Takes what is known after each epoch."""

    def write(self, epoch: int, row: Row) -> None:
        """Durable when it returns; epochs count from 1."""

    def close(self) -> None:
        """Nothing is written any more."""


class CsvLog:
    """`training.csv`: a line for each epoch, columns named in the first.

    Of a training that goes on, lines up to `epochs_done` stay.
    """

    def __init__(self, folder: Path, epochs_done: int) -> None:
        self.file = folder / CSV_FILE
        kept = _rows(self.file) if epochs_done else []
        self.rows = [row for row in kept if int(row["epoch"]) <= epochs_done]

    def write(self, epoch: int, row: Row) -> None:
        self.rows.append({"epoch": epoch, **row})
        text = io.StringIO()
        names = dict.fromkeys(name for row in self.rows for name in row)
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_atomically(self.file, text.getvalue().encode())

    def close(self) -> None:
        """See `Log.close`."""


def _rows(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    with open(file, newline="") as lines:
        return list(csv.DictReader(lines))


class TensorBoardLog:
    """Event files in the folder `tensorboard`.

    Raises:
        SettingsError: The package tensorboard is not installed.
    """

    def __init__(self, folder: Path, epochs_done: int) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            raise SettingsError(
                "training.log: tensorboard is not installed here. Install it by pip install "
                "'evonas[tensorboard]', or write training.log=csv."
            )
        from torch.utils.tensorboard import SummaryWriter

        # Events of epochs that will be trained again are no longer shown.
        place = str(folder / TENSORBOARD_FOLDER)
        self.writer: Any = SummaryWriter(place, purge_step=epochs_done + 1)

    def write(self, epoch: int, row: Row) -> None:
        for name, value in row.items():
            self.writer.add_scalar(name, value, epoch)
        self.writer.flush()

    def close(self) -> None:
        self.writer.close()


# Name to a callable (folder, epochs done before).
LOGS: Mapping[str, Callable[[Path, int], Log]] = {"csv": CsvLog, "tensorboard": TensorBoardLog}


@contextmanager
def opened_logs(
    names: Sequence[str], folder: Path | None, epochs_done: int
) -> Iterator[Callable[[int, Row], None]]:
    """A function that writes an epoch's figures to all logs; to none without a folder."""
    with ExitStack() as stack:
        logs = [LOGS[name](folder, epochs_done) for name in names] if folder else []
        for log in logs:
            stack.callback(log.close)

        def write(epoch: int, row: Row) -> None:
            for log in logs:
                log.write(epoch, row)

        yield write
