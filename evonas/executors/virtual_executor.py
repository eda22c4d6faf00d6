"""Trials on a virtual clock: how many workers would have done, told without waiting for them."""

import heapq
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from evonas.executors.executor import Evaluate, Executor, Lost
from evonas.executors.inline_executor import run_in_time
from evonas.executors.packing import Place
from evonas.settings import ExecutorSettings
from evonas.trial import Assignment, Outcome


class VirtualExecutor(Executor):
    """Evaluates when a trial is submitted, and hands outcomes out in the order of simulated time.

    A trial lasts as long as the evaluator says (`duration_s`), else as long as it really took.
    The driver's own real time, its thinking, passes on the virtual clock too unless
    `executor.charge_proposals=false`; then the order of outcomes depends on seeds and durations
    alone. `executor.timeout_s` limits the real evaluation.
    """

    def __init__(self, evaluate: Evaluate, settings: ExecutorSettings, workers: int) -> None:
        super().__init__(evaluate, settings, workers)
        self._now = 0.0
        self._due: list[tuple[float, int, Outcome]] = []  # a heap by time, then number
        self._idle_since = 0.0  # real: when the driver last had its turn
        self._started: Mapping[int, float] = {}  # trials that run on from before an interruption

    @property
    def clock(self) -> Callable[[], float]:
        """See `Executor.clock`: seconds since the run began."""
        return lambda: self._now

    def go_on(self, now: float, started: Mapping[int, float]) -> None:
        self._now, self._started = now, started

    def submit(self, assignment: Assignment) -> None:
        self._charge()
        super().submit(assignment)
        self._idle_since = time.perf_counter()

    def wait(self) -> Outcome:
        self._charge()
        self._started = {}  # what starts from here on starts now
        outcome = super().wait()
        self._idle_since = time.perf_counter()
        return outcome

    def _charge(self) -> None:
        """The driver's turn is over: what it took passes on the clock."""
        if self.settings.charge_proposals:
            self._now += time.perf_counter() - self._idle_since

    def _open(self) -> None:
        self.evaluate.prepare()
        self._idle_since = time.perf_counter()

    def _close(self) -> None:
        self._due = []

    def _launch(self, assignment: Assignment, place: Place) -> None:
        self._begins(assignment.number)
        outcome = run_in_time(self.evaluate, assignment, self.settings.timeout_s)
        simulated = self.evaluate.duration_s(assignment.trial)
        if simulated is not None:
            outcome = replace(outcome, seconds=simulated, busy_seconds=simulated)
        start = self._started.get(assignment.number, self._now)
        heapq.heappush(self._due, (start + outcome.seconds, assignment.number, outcome))

    def _collect(self, timeout_s: float) -> list[tuple[int, Outcome | Lost]]:
        finish, number, outcome = heapq.heappop(self._due)
        self._now = max(self._now, finish)
        return [(number, outcome)]

    def _stop(self, number: int) -> None:
        self._due = [due for due in self._due if due[1] != number]
        heapq.heapify(self._due)
