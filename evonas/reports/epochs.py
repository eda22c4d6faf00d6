"""What a long training shows while it works: lines on standard error."""

import time
from types import TracebackType
from typing import Self

from evonas.reports.escape import tell
from evonas.reports.format import duration
from evonas.reports.ticker import Ticker


class EpochLines:
    """A line after each tenth of the epochs, or after ten seconds, within an epoch too.

    Args:
        epochs: How many the training has.
        done: How many of them it had before it was stopped.
    """

    def __init__(self, epochs: int, done: int = 0) -> None:
        self.epochs = epochs
        self.first = self.done = done
        self.since = time.monotonic()
        self.ticker = Ticker(self.tick)

    def __enter__(self) -> Self:
        self.ticker.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.ticker.__exit__(kind, error, where)

    def finished(self, done: int, loss: float) -> None:
        """So many epochs are done by now; `loss` is that of the last one."""
        is_tenth = 10 * done // self.epochs > 10 * self.done // self.epochs
        self.done = done
        if is_tenth or self.ticker.is_due:
            self._tell(f"epoch {done}/{self.epochs} · loss {loss:.4f} · {self._left()} left")

    def tick(self) -> None:
        """Nothing was told for a while; called from another thread."""
        passed = duration(time.monotonic() - self.since)
        self._tell(f"epoch {self.done + 1}/{self.epochs} is under way · {passed} so far")

    def _left(self) -> str:
        each = (time.monotonic() - self.since) / (self.done - self.first)
        return duration(each * (self.epochs - self.done))

    def _tell(self, text: str) -> None:
        self.ticker.told()
        tell(text)
