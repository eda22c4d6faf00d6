"""What a tuning shows while it works, and what came of it."""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.console import Console
from rich.table import Table

from evonas.reports.escape import tell
from evonas.reports.format import duration, number
from evonas.reports.ticker import Shown, Ticker


class Tunings(Shown):
    """Told how a tuning goes; shows nothing."""

    shown_by: AbstractContextManager[Any] = nullcontext()

    def begin(self, trainings: int, done: int) -> None:
        """So many trainings are to do in all, of which some are done."""

    def started(self, what: str, epochs: int) -> None:
        """A training of so many epochs begins, or goes on."""

    def epoch(self, done: int) -> None:
        """So many epochs of it are done by now."""

    def finished(self, text: str) -> None:
        """It is over; what came of it, in words."""

    def line(self, text: str) -> None:
        """What else there is to say."""


class TuningLines(Tunings):
    """A line for each training, and after ten seconds without one."""

    def begin(self, trainings: int, done: int) -> None:
        self.trainings, self.first, self.done = trainings, done, done
        self.since = time.monotonic()
        self.what, self.epochs, self.epochs_done = "", 0, 0
        self.shown_by = self.ticker = Ticker(self.tick)

    def started(self, what: str, epochs: int) -> None:
        self.what, self.epochs, self.epochs_done = what, epochs, 0

    def epoch(self, done: int) -> None:
        self.epochs_done = done
        if self.ticker.is_due:
            self.tick()

    def finished(self, text: str) -> None:
        self.done += 1
        pieces = [f"{self.done}/{self.trainings} trainings", f"{self.what}: {text}"]
        if self.done < self.trainings:
            each = (time.monotonic() - self.since) / (self.done - self.first)
            pieces.append(f"{duration(each * (self.trainings - self.done))} left")
        self._tell(" · ".join(pieces))

    def line(self, text: str) -> None:
        tell(text)

    def tick(self) -> None:
        """Nothing was told for a while; may be called from another thread."""
        passed = duration(time.monotonic() - self.since)
        done = f"{self.epochs_done}/{self.epochs} epochs done" if self.what else "at work"
        self._tell(
            f"{self.done}/{self.trainings} trainings · {self.what}: {done} · {passed} so far"
        )

    def _tell(self, text: str) -> None:
        self.ticker.told()
        tell(text)


def print_tuning(result: Mapping[str, Any], console: Console) -> None:
    """The settings that do better, by how much, and whether they are in the recipe now."""
    table = Table("training.", "recipe", "best found")
    for name, (before, after) in result["settings"].items():
        table.add_row(name, number(before), number(after))
    if result["settings"]:
        console.print(table)
    console.print(_verdict(result), soft_wrap=True)
    stopped = f"{result['pruned']} ended early" if result["pruned"] else ""
    diverged = f"{result['diverged']} diverged" if result["diverged"] else ""
    of_which = ", ".join(text for text in (stopped, diverged) if text)
    console.print(
        f"{result['trainings']} trainings of {result['epochs']} epochs"
        f"{f' ({of_which})' if of_which else ''} in {duration(result['seconds'])}.",
        soft_wrap=True,
    )
    if result["written"]:
        console.print(f"\nNext: evonas retrain {result['folder']}", soft_wrap=True)


def _verdict(result: Mapping[str, Any]) -> str:
    """Whether the recipe was bettered, in a sentence."""
    title = result["title"]
    if not result["settings"]:
        return f"No training did better than the recipe, which stays as it is: {title} " + (
            f"{result['score']:.4f} on {result['images']} validation images."
        )
    before, after = result["recipe_again"], result["best_again"]
    compared = (
        f"{title} {_mean(after):.4f} on {result['images']} validation images, {_mean(before):.4f} "
        f"by the recipe as it was (means of {len(after)} fresh seeds)"
    )
    if result["written"]:
        return f"{result['folder']}/recipe.yaml has the new settings: {compared}."
    return f"The recipe stays as it is, for the best found does no better: {compared}."


def _mean(scores: list[float]) -> float:
    return sum(scores) / len(scores)
