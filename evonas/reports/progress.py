"""What a search shows while it works: one live panel on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

from rich.console import RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from evonas.reports.console import PlainConsole
from evonas.reports.format import duration, objective_value
from evonas.reports.ticker import Shown, Ticker
from evonas.runs.records import Records
from evonas.settings import Settings
from evonas.trial import Outcome, Trial


class Display(Shown):
    """Told of every event; prints a line after each tenth of the budget, or ten seconds.

    Everything goes to standard error, so that standard output stays free for results.
    """

    def __init__(
        self, name: str, settings: Settings, sessions: Sequence[tuple[int, float]]
    ) -> None:
        self.clock: Callable[[], float] = time.monotonic
        self.name = name
        self.settings = settings
        self.console = PlainConsole(stderr=True)
        self.before_s = sum(seconds for _, seconds in sessions)
        self.since: float | None = None  # when the workers were ready
        self.done_before = 0
        self.records: Records | None = None
        self.running: dict[int, float] = {}  # trial numbers and when they started
        self.shown_by = self.ticker = Ticker(self.tick)
        self.tenths = 0  # of the budget that were told of

    @property
    def seconds(self) -> float:
        """Seconds that drivers have worked on the run, this one included."""
        return self.before_s + (self.clock() - self.since if self.since is not None else 0.0)

    def begin(self, records: Records) -> None:
        """The workers are ready."""
        self.since = self.clock()
        self.records = records
        self.done_before = records.evaluations
        self.tenths = 10 * self.done_before // self.settings.budget.evaluations
        verb = "goes on" if records.trials else "starts"
        self.line(
            f"Run {self.name} {verb}: {self.settings.budget.evaluations - self.done_before} "
            f"evaluations to do, objectives {', '.join(o.name for o in records.objectives)}."
        )

    def started(self, trial: Trial) -> None:
        """A trial was submitted."""
        self.running[trial.number] = self.clock()
        if trial.confirms is not None:
            self.line(f"Trial {trial.confirms} is trained again, as trial {trial.number}.")

    def finished(self, outcome: Outcome, records: Records) -> None:
        """A trial has its outcome."""
        self.running.pop(outcome.number, None)
        if outcome.status == "failed" and outcome.source is None:
            first_line = next(iter((outcome.error_text or "").splitlines()), "")
            self.line(
                f"Trial {outcome.number} failed after {duration(outcome.seconds)}: "
                f"{outcome.error_kind}, {first_line}. It ranks last."
            )
        if outcome.notes.damaged_weights is not None:
            self.line(
                f"The weights that trial {outcome.notes.damaged_weights} left are damaged, so "
                f"trial {outcome.number} was trained without them."
            )
        tenths = 10 * records.evaluations // self.settings.budget.evaluations
        if tenths > self.tenths:
            self.tenths = tenths
            self.line(" · ".join(self.summary()))

    def tick(self) -> None:
        """Nothing was told for a while; called from another thread."""
        if self.records is None:
            self.line(f"Run {self.name}: the workers are starting.")
        else:
            self.line(" · ".join([*self.summary(), *self.at_work()]))

    def at_work(self) -> list[str]:
        """How many trials are running, and for how long the oldest of them."""
        running = list(self.running.items())
        if not running:
            return []
        number, since = min(running, key=lambda item: item[1])
        return [f"{len(running)} running, trial {number} for {duration(self.clock() - since)}"]

    def line(self, text: str) -> None:
        """Prints one line."""
        self.ticker.told()
        self.console.print(text, soft_wrap=True)

    def summary(self) -> list[str]:
        """Where the search stands, in a few short pieces."""
        records = self.records
        assert records is not None, "a summary needs a search that has begun"
        done, budget = records.evaluations, self.settings.budget.evaluations
        pieces = [f"{done}/{budget} evaluations"]
        if records.pruned:
            pieces.append(f"{records.promotions} promotions")
        if records.best is not None:
            objective = records.objectives[0]
            measures = records.measures(records.best)
            pieces.append(f"best {objective_value(objective, measures[objective.name])}")
        pieces.append(f"front {len(records.front)}")
        if records.volume.value is not None:
            pieces.append(f"hypervolume {records.volume.value:.4g}")
        return pieces + self.pace()

    def pace(self) -> list[str]:
        """Evaluations per minute and the time left, once there is something to judge by."""
        assert self.records is not None, "a pace needs a search that has begun"
        assert self.since is not None, "begin sets records and since together"
        done = self.records.evaluations - self.done_before
        elapsed = self.clock() - self.since
        if not done or elapsed <= 0:
            return []
        budget = self.settings.budget
        left = (budget.evaluations - self.records.evaluations) * elapsed / done
        if budget.seconds is not None:
            left = min(left, budget.seconds - self.seconds)
        pieces = [f"{60 * done / elapsed:.1f}/min"]
        return [*pieces, f"{duration(left)} left"] if left > 0 else pieces


class SilentDisplay(Display):
    """Keeps time and prints nothing."""

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        self.shown_by = nullcontext()

    def line(self, text: str) -> None:
        """Prints nothing."""


class LiveDisplay(Display):
    """A panel that stays at the foot of the terminal."""

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        self.shown_by = Live(
            get_renderable=self.panel, console=self.console, refresh_per_second=4, transient=True
        )

    def panel(self) -> RenderableType:
        """Bar, figures, running trials."""
        if self.records is None:
            return Panel("starting workers ...", title=Text(self.name), title_align="left")
        bar = ProgressBar(self.settings.budget.evaluations, self.records.evaluations)
        now = self.clock()
        running = [f"{n} ({duration(now - since)})" for n, since in list(self.running.items())]
        table = Table.grid(padding=(0, 2))
        table.add_row("", bar)
        table.add_row("done", " · ".join(self.summary()))
        table.add_row("running", ", ".join(running) or "-")
        counts = {name: n for name, n in self.records.counts().items() if n and name != "running"}
        table.add_row("trials", ", ".join(f"{n} {name}" for name, n in counts.items()) or "-")
        return Panel(table, title=Text(self.name), title_align="left")


def make_display(name: str, settings: Settings, sessions: Sequence[tuple[int, float]]) -> Display:
    """The display that the settings and the terminal ask for."""
    if settings.display == "none":
        return SilentDisplay(name, settings, sessions)
    if settings.display == "auto" and sys.stderr.isatty():
        return LiveDisplay(name, settings, sessions)
    return Display(name, settings, sessions)
