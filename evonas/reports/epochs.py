"""What a long training shows while it works: nothing, or lines on standard error."""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from evonas.reports.escape import tell
from evonas.reports.format import duration
from evonas.reports.ticker import Shown, Ticker


class Epochs(Shown):
    """Told how a training goes; shows nothing."""

    shown_by: AbstractContextManager[Any] = nullcontext()

    def begin(self, epochs: int, done: int = 0) -> None:
        """A training of so many epochs begins, or goes on after those that are done."""

    def finished(self, done: int, loss: float) -> None:
        """So many epochs are done by now; `loss` is that of the last one."""

    def line(self, text: str) -> None:
        """What else there is to say."""


class EpochLines(Epochs):
    """A line after each tenth of the epochs, or after ten seconds, within an epoch too."""

    def begin(self, epochs: int, done: int = 0) -> None:
        self.epochs = epochs
        self.first = self.done = done
        self.since = time.monotonic()
        self.shown_by = self.ticker = Ticker(self.tick)

    def finished(self, done: int, loss: float) -> None:
        is_tenth = 10 * done // self.epochs > 10 * self.done // self.epochs
        self.done = done
        if is_tenth or self.ticker.is_due:
            self._tell(f"epoch {done}/{self.epochs} · loss {loss:.4f} · {self._left()} left")

    def line(self, text: str) -> None:
        tell(text)

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


def told_epochs(result: Mapping[str, Any]) -> str:
    """How long the training of a retraining's result was, and which of its epochs was kept."""
    best, epochs = result.get("best_epoch"), result["epochs"]
    return f"{epochs} epoch{'s' * (epochs != 1)}" + (
        f", of which the {best}. is kept," if best else ""
    )
