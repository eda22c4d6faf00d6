"""Trials in the driver's own process, one after the other: for debugging and exact repetition."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from evonas.executors.executor import Evaluate, Executor, Lost, run_trial, timeout_outcome
from evonas.executors.packing import Place
from evonas.settings import ExecutorSettings
from evonas.trial import Assignment, Outcome


class OutOfTime(BaseException):
    """Raised inside an evaluation; no `except Exception` of a user's function catches it."""


class InlineExecutor(Executor):
    """Has one worker, the caller. Time limits interrupt Python code, not a stuck C call."""

    def __init__(self, evaluate: Evaluate, settings: ExecutorSettings, workers: int) -> None:
        super().__init__(evaluate, settings, 1)
        self._next: Assignment | None = None

    def _open(self) -> None:
        self.evaluate.prepare()

    def _close(self) -> None:
        self._next = None

    def _launch(self, assignment: Assignment, place: Place) -> None:
        self._next = assignment
        self._begins(assignment.number)

    def _collect(self, timeout_s: float) -> list[tuple[int, Outcome | Lost]]:
        assignment = self._next
        assert assignment is not None, "a running trial was launched"
        self._next = None
        return [
            (assignment.number, run_in_time(self.evaluate, assignment, self.settings.timeout_s))
        ]

    def _stop(self, number: int) -> None:
        self._next = None


def run_in_time(evaluate: Evaluate, assignment: Assignment, timeout_s: float) -> Outcome:
    """The outcome of a trial that runs in this process, also of one that takes too long."""
    try:
        with alarm(timeout_s):
            return run_trial(evaluate, assignment)
    except OutOfTime:
        return timeout_outcome(assignment.number, timeout_s)


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raises OutOfTime in the block after so long; signals reach the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise OutOfTime

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
