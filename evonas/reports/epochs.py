"""What a long training shows while it works: nothing, or lines on standard error."""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from evonas.exporters.file_names import LAST, WEIGHTS
from evonas.reports.escape import tell
from evonas.reports.format import duration
from evonas.reports.ticker import Shown, Ticker

QUIET_S = 2.0  # between lines, so that quick epochs are not all told


class Epochs(Shown):
    """Told how a training goes; shows nothing."""

    shown_by: AbstractContextManager[Any] = nullcontext()

    def begin(self, epochs: int, done: int = 0) -> None:
        """A training of so many epochs begins, or goes on after those that are done."""

    def finished(self, done: int, loss: float, score: str = "") -> None:
        """So many epochs are done by now; `loss` is that of the last one.

        Args:
            score: On validation images, in words.
        """

    def line(self, text: str) -> None:
        """What else there is to say."""


class EpochLines(Epochs):
    """A line after each tenth of the epochs, and after others if the last line is seconds ago.

    Within an epoch too, after ten seconds.
    """

    def begin(self, epochs: int, done: int = 0) -> None:
        self.epochs = epochs
        self.first = self.done = done
        self.since = time.monotonic()
        self.shown_by = self.ticker = Ticker(self.tick)

    def finished(self, done: int, loss: float, score: str = "") -> None:
        is_tenth = 10 * done // self.epochs > 10 * self.done // self.epochs
        self.done = done
        if is_tenth or self.ticker.silent_s >= QUIET_S:
            parts = [f"epoch {done}/{self.epochs}", f"loss {loss:.4f}", score]
            self._tell(" · ".join([*filter(None, parts), f"{self._left()} left"]))

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


def told_weights(result: Mapping[str, Any]) -> str:
    """What the weights of a retraining's result are of, in sentences."""
    best, epochs, decay = result.get("best_epoch"), result["epochs"], result.get("ema")
    averages = f" They are averages over the steps (training.ema={decay:g})." if decay else ""
    if not best:
        return f"{WEIGHTS} has the weights of epoch {epochs}, the last.{averages}"
    (name, scores), *_ = result["validation_scores"].items()
    return (
        f"{WEIGHTS} has the weights of epoch {best}, the best on the validation images "
        f"({name} {scores[best - 1]:.4f}), {LAST} those of epoch {epochs}, the last.{averages}"
    )
