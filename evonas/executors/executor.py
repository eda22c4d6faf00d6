"""What every executor promises: one outcome for each trial, whatever happens to the worker."""

import math
import time
import traceback
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch

from evonas import interrupts
from evonas.errors import BuildError, FileError, TrialFailure
from evonas.executors.gpu_memory import forget_peak, peak_memory
from evonas.executors.packing import Packing, Place
from evonas.files import EXHAUSTED, refusal
from evonas.settings import ExecutorSettings
from evonas.trial import Assignment, Outcome, Trial
from evonas.user_code import place_of, traceback_of

LOOK_UP_S = 1.0  # at signals and at what workers depend on, while none of them has anything to say
REFUSED = "refused"  # by the disk or the system: no design's fault, so the search stops for it
# The processor's allocator, CUDA itself and its libraries raise a plain RuntimeError.
MEMORY_ERRORS = ("can't allocate memory", "CUDA error: out of memory", "STATUS_ALLOC_FAILED")


class Evaluate(Protocol):
    """What executors run: an evaluator, as far as they need to know it."""

    def prepare(self) -> None:
        """Called once in each fresh worker before any trial."""

    def __call__(self, assignment: Assignment) -> Outcome:
        """May raise anything."""

    def duration_s(self, trial: Trial) -> float | None:
        """Simulated seconds; None: as long as it really takes."""


@dataclass(frozen=True)
class Lost:
    """A worker that ended without an outcome."""

    reason: str


@dataclass
class _Running:
    assignment: Assignment
    attempt: int
    since: float = math.inf  # when the worker began; until then it may still be starting


class Executor(ABC):
    """Runs trials in workers. Use as a context manager; `submit` and `wait` inside.

    Subclasses start and stop single trials; time limits and second tries are handled here.
    Retries are evonas' own, so that the number of attempts is known and bounded. A trial that
    ran out of memory on a GPU that it shared is run once more with a whole one to itself; one
    that had all of it, or ran on the processor, has failed.
    """

    def __init__(self, evaluate: Evaluate, settings: ExecutorSettings, workers: int) -> None:
        self.evaluate = evaluate
        self.settings = settings
        self.workers = workers
        self.packing = Packing()  # a subclass that shares GPUs out says how when it opens
        self._queue: deque[Assignment] = deque()
        self._running: dict[int, _Running] = {}
        self._attempts: dict[int, int] = {}
        self._alone: set[int] = set()  # trials that need a whole GPU

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, *ended: object) -> None:
        self._leave()

    def _leave(self) -> None:
        with interrupts.held():
            self._close()

    def submit(self, assignment: Assignment) -> None:
        """Takes a trial; it starts as soon as a worker is free."""
        self._queue.append(assignment)
        self._start_waiting()

    def wait(self) -> Outcome:
        """The next outcome; blocks until there is one. Needs a submitted trial."""
        assert self._running or self._queue, "wait needs a submitted trial"
        while True:
            self._start_waiting()
            for number, result in self._collect(self._until_deadline()):
                outcome = self._settle(number, result)
                if outcome is not None:
                    return outcome
            late = self._late()
            if late is not None:
                return late
            interrupts.check()

    @classmethod
    def lack(cls, settings: ExecutorSettings) -> str | None:
        """Why trials cannot run here so, asked before a run is made; None: they can."""
        if not settings.gpus_per_trial or torch.cuda.is_available():
            return None
        return (
            f"executor.gpus_per_trial={settings.gpus_per_trial} asks for a GPU, and torch sees "
            "none. Install the CUDA build of torch, or leave it out."
        )

    @property
    def clock(self) -> Callable[[], float] | None:
        """Gives the seconds of simulated time; None if trials take real time."""
        return None

    def go_on(self, now: float, started: Mapping[int, float]) -> None:
        """Called before it is opened for a run that was interrupted; simulated time goes on.

        Args:
            now: What the clock said last.
            started: The same when each unfinished trial was proposed.
        """
        assert self.clock is None, "real time goes on by itself"

    @abstractmethod
    def _open(self) -> None:
        """Starts workers and prepares them: start-up is not part of any trial."""

    @abstractmethod
    def _close(self) -> None:
        """Stops everything that runs; also called when `_open` failed half-way."""

    @abstractmethod
    def _launch(self, assignment: Assignment, place: Place) -> None:
        """Starts a trial in a free worker at its place on the GPUs; `_begins` tells when it runs.

        A worker in place of a lost one has to start first: that is not the trial's time.
        """

    @abstractmethod
    def _collect(self, timeout_s: float) -> list[tuple[int, Outcome | Lost]]:
        """At most one finished trial, waiting no longer than the timeout for it."""

    @abstractmethod
    def _stop(self, number: int) -> None:
        """Ends a running trial by force."""

    def _begins(self, number: int) -> None:
        """The worker is at work on the trial from now on."""
        self._running[number].since = time.monotonic()

    def _start_waiting(self) -> None:
        while self._queue and len(self._running) < self.workers:
            assignment = self._queue[0]
            place = self.packing.place(assignment.number, assignment.number in self._alone)
            if place is None:
                return  # those behind it wait too, or it would wait for ever
            self._queue.popleft()
            attempt = self._attempts.get(assignment.number, 0) + 1
            self._attempts[assignment.number] = attempt
            self._running[assignment.number] = _Running(assignment, attempt)
            self._launch(assignment, place)

    def _until_deadline(self) -> float:
        now = time.monotonic()
        ends = [run.since + self.settings.timeout_s - now for run in self._running.values()]
        return max(0.0, min([*ends, LOOK_UP_S]))

    def _late(self) -> Outcome | None:
        now = time.monotonic()
        for number, run in self._running.items():
            if now - run.since >= self.settings.timeout_s:
                self._stop(number)
                return self._finish(number, timeout_outcome(number, self.settings.timeout_s))
        return None

    def _settle(self, number: int, result: Outcome | Lost) -> Outcome | None:
        if isinstance(result, Lost):
            return self._settle_lost(number, result)
        if result.error_kind == REFUSED:
            raise FileError(result.error_text or "")
        self.packing.learn(result.notes.gpu_memory_share)
        if result.error_kind == "out_of_memory" and self.packing.is_shared(number):
            self._alone.add(number)
            self._run_again(number)
            return None
        return self._finish(number, result)

    def _settle_lost(self, number: int, lost: Lost) -> Outcome | None:
        run = self._running[number]
        if run.attempt <= self.settings.retries:
            self._run_again(number)
            return None
        seconds = max(0.0, time.monotonic() - run.since)
        text = f"the worker was lost {run.attempt} times, last: {lost.reason}"
        return self._finish(number, failed(number, "worker_lost", text, seconds))

    def _run_again(self, number: int) -> None:
        self.packing.leave(number)
        self._queue.appendleft(self._running.pop(number).assignment)

    def _finish(self, number: int, outcome: Outcome) -> Outcome:
        del self._running[number]
        self.packing.leave(number)
        self._alone.discard(number)
        return replace(outcome, attempts=self._attempts.pop(number))


def run_trial(evaluate: Callable[[Assignment], Outcome], assignment: Assignment) -> Outcome:
    """The outcome of a trial, also of one that raises: called in the worker.

    It tells the memory that it took of a GPU, if it used one.
    """
    forget_peak()
    outcome = _outcome(evaluate, assignment)
    peak = peak_memory()
    if peak is None:
        return outcome
    mib, share = peak
    return replace(
        outcome,
        notes=replace(outcome.notes, gpu_memory_share=share),
        details={**outcome.details, "gpu_memory_mib": mib},
    )


def _outcome(evaluate: Callable[[Assignment], Outcome], assignment: Assignment) -> Outcome:
    start = time.perf_counter()
    try:
        return evaluate(assignment)
    except TrialFailure as failure:
        kind, text = failure.kind, failure.text
    except BuildError as error:
        kind, text = "build_error", str(error)
    except FileError as error:
        kind, text = REFUSED, str(error)
    except (MemoryError, torch.OutOfMemoryError) as error:
        kind, text = "out_of_memory", _text(error)
    except Exception as error:
        kind = "out_of_memory" if _is_out_of_memory(error) else "error"
        text = _text(error)
        if isinstance(error, OSError) and error.errno in EXHAUSTED:
            kind, text = REFUSED, str(refusal(error))
    return failed(assignment.number, kind, text, time.perf_counter() - start)


def failed(number: int, kind: str, text: str, seconds: float) -> Outcome:
    """The outcome of a trial that came to nothing."""
    outcome = Outcome(number, "failed", seconds=seconds, busy_seconds=seconds)
    return replace(outcome, error_kind=kind, error_text=text)


def timeout_outcome(number: int, timeout_s: float) -> Outcome:
    """The outcome of a trial that was stopped."""
    text = f"not done after executor.timeout_s={timeout_s:g}"
    return failed(number, "timeout", text, timeout_s)


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, RuntimeError) and any(text in str(error) for text in MEMORY_ERRORS)


def _text(error: BaseException) -> str:
    """What was raised, and where: the last line first, for tables that show one line."""
    summary = "".join(traceback.format_exception_only(error)).strip()
    place = place_of(error)
    first, *more = summary.splitlines()
    summary = "\n".join([f"{first}, in {place}" if place else first, *more])
    return f"{summary}\n{traceback_of(error)}".strip()
