"""Trials as Ray tasks: on this machine by default, on a cluster with `executor.address`."""

import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from evonas.errors import ExecutorError, WorkFailed
from evonas.executors.executor import LOOK_UP_S, Evaluate, Executor, Lost, run_trial
from evonas.executors.packing import Packing, Place
from evonas.executors.ray_service import RayService, address_fault
from evonas.settings import ExecutorSettings
from evonas.standard_output import led_to
from evonas.trial import Assignment, Outcome

# Bytes of what a trial prints that the driver passes on: with its outcome they stay below the
# 100 KiB from which on Ray puts results into its store.
MOST_PRINTED = 50_000
LOADING_GPUS = 0.001  # so little that all workers load at the same time, where the GPUs are
END_S = 5.0  # for trials that wait for a worker when the search is over


@dataclass(frozen=True)
class _Begun:
    """Says that a worker has begun with a trial."""

    node: str
    process: int


class RayExecutor(Executor):
    """Tasks without Ray's own retries: a retry that nobody counts would be a trial done twice.

    Trials that would have to wait for room on a GPU are kept back, so that no time limit runs
    while Ray queues them. On several GPUs each trial starts a process of its own.

    Nothing lies in Ray's object store: if its raylet ends, a thread of Ray that cannot write there
    that an object is lost ends the whole process with exit code 1, before Python hears of it.
    """

    def __init__(self, evaluate: Evaluate, settings: ExecutorSettings, workers: int) -> None:
        super().__init__(evaluate, settings, workers)
        self._service = RayService()
        self._numbers: dict[Any, int] = {}  # by the task that runs the trial
        self._places: dict[int, _Begun] = {}

    @property
    def _ray(self) -> Any:
        return self._service.ray

    @classmethod
    def lack(cls, settings: ExecutorSettings) -> str | None:
        """See `Executor.lack`; what a cluster has it says itself, when it is joined."""
        ray = sys.modules.get("ray")
        if ray is not None and ray.is_initialized():  # by the caller: that one is taken
            return None
        if settings.address == "local":
            return super().lack(settings)
        return None if settings.address == "auto" else address_fault(settings.address)

    def _open(self) -> None:
        cpus = math.ceil(self.workers * self.settings.cpus_per_trial)
        self._service.open(cpus, self.settings.address)
        self._check_resources()
        self.packing = self._packing()
        task = self._ray.remote(num_returns="streaming", **self._options())(
            _trial_of(self.evaluate)
        )
        self._start: Callable[[Assignment, float], Any] = lambda assignment, gpus: task.options(
            num_gpus=gpus
        ).remote(assignment)
        try:
            self._get(self._load())
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None

    def _load(self) -> list[Any]:
        """One task for each worker at the same time, so that all of them start and load."""
        load = self._ray.remote(
            num_gpus=LOADING_GPUS if self.settings.gpus_per_trial else 0, **self._options()
        )(_preparation_of(self.evaluate))
        try:
            return [load.remote() for _ in range(1 if self._is_bound else self.workers)]
        except (TypeError, ValueError) as error:  # Ray cannot pickle it, or finds it too large
            why = str(error.__cause__ or error).partition(". ")[0]
            raise ExecutorError(
                f"executor=ray cannot send the evaluation to its workers: {why}. Let it make or "
                "load there what it works with, or take executor=inline."
            ) from None

    def _get(self, references: list[Any]) -> None:
        """Waits for all of them, and notices if Ray dies meanwhile."""
        while references:
            done, references = self._ray.wait(references, timeout=LOOK_UP_S)
            self._ray.get(done)
            self._service.check()

    @property
    def _is_bound(self) -> bool:
        """True if a process that has run a trial can see one GPU, and the next may get another."""
        return self.settings.gpus_per_trial != 0 and self._gpus > 1

    def _options(self) -> dict[str, float]:
        """Of everything that Ray runs."""
        return {
            "num_cpus": self.settings.cpus_per_trial,
            "max_retries": 0,
            "max_calls": 1 if self._is_bound else 0,
        }

    def _packing(self) -> Packing:
        wanted = self.settings.gpus_per_trial
        if wanted != "auto" and not 0 < wanted <= 1:
            return Packing(wanted)  # none, or several for each: Ray's to place
        return Packing(wanted, [self.workers] * self._gpus)

    @property
    def _gpus(self) -> int:
        return int(self._ray.cluster_resources().get("GPU", 0))

    def _check_resources(self) -> None:
        """A task that asks for more than there is would wait for ever."""
        there = self._ray.cluster_resources()
        gpus = self.settings.gpus_per_trial
        for name, asked in (
            ("CPU", self.settings.cpus_per_trial),
            ("GPU", 1.0 if gpus == "auto" else gpus),
        ):
            if asked > there.get(name, 0):
                raise ExecutorError(
                    f"A trial asks for {asked:g} {name} (executor.{name.lower()}s_per_trial), "
                    f"Ray has {there.get(name, 0):g}."
                )

    def _close(self) -> None:
        if self._ray is not None and self._service.is_callers:
            self._end_all()
        self._numbers.clear()
        self._places.clear()
        self._service.close()

    def _end_all(self) -> None:
        """Ends the trials in a Ray that stays, also those that begin meanwhile."""
        end = time.monotonic() + END_S
        # Of a Ray that has died they have ended, and a task that has told so has nothing to add.
        with contextlib.suppress(WorkFailed, StopIteration):
            while self._numbers and time.monotonic() < end:
                for number in list(self._places):
                    self._stop(number)
                if self._numbers:
                    self._collect(LOOK_UP_S)

    def _launch(self, assignment: Assignment, place: Place) -> None:
        self._numbers[self._start(assignment, place.share)] = assignment.number

    def _collect(self, timeout_s: float) -> list[tuple[int, Outcome | Lost]]:
        done, _ = self._ray.wait(list(self._numbers), num_returns=1, timeout=timeout_s)
        if not done:
            self._service.check()
            return []
        task = done[0]
        number, result = self._numbers[task], self._result(task)
        if isinstance(result, _Begun):
            self._places[number] = result
            self._begins(number)
            return []
        del self._numbers[task]
        self._places.pop(number, None)
        return [(number, result)]

    def _result(self, task: Any) -> Outcome | Lost | _Begun:
        """What the task gave next."""
        errors = self._ray.exceptions
        try:
            result: tuple[Outcome, bytes] | _Begun = self._ray.get(next(task))
        except errors.OutOfMemoryError as error:
            return Lost(f"stopped by Ray for lack of memory ({_first_line(error)})")
        except errors.RayError as error:
            self._service.check()
            return Lost(_first_line(error))
        if isinstance(result, _Begun):
            return result
        outcome, printed = result
        sys.stderr.write(printed.decode(errors="replace"))
        return outcome

    def _stop(self, number: int) -> None:
        """Kills the worker. `ray.cancel` aborts the driver if the task is just ending."""
        task = next(task for task, own in self._numbers.items() if own == number)
        del self._numbers[task]
        place = self._places.pop(number)
        if place.node == self._ray.get_runtime_context().get_node_id():
            _kill_worker(place.process)
            return
        there = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            place.node, soft=False
        )
        kill = self._ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=there)
        kill(_kill_worker).remote(place.process)


def _preparation_of(evaluate: Evaluate) -> Callable[[], None]:
    """The task that loads what trials need.

    It encloses the evaluation, as that of trials does: workers have functions from Ray's table of
    them, and objects from its store.
    """

    def prepare_worker() -> None:
        evaluate.prepare()

    return prepare_worker


def _trial_of(
    evaluate: Evaluate,
) -> Callable[[Assignment], Iterator[_Begun | tuple[Outcome, bytes]]]:
    """The task of a trial: where it begins, late in a fresh worker; then outcome and print-out."""

    def evaluate_in_worker(assignment: Assignment) -> Iterator[_Begun | tuple[Outcome, bytes]]:
        import ray

        evaluate.prepare()
        yield _Begun(ray.get_runtime_context().get_node_id(), os.getpid())
        with TemporaryFile() as file:
            with led_to(file.fileno()):
                outcome = run_trial(evaluate, assignment)
            file.seek(0)
            yield outcome, file.read(MOST_PRINTED)

    return evaluate_in_worker


def _kill_worker(process: int) -> None:
    """Kills a worker of Ray on this machine, if the process still is one."""
    with contextlib.suppress(OSError):
        if Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"ray::"):
            os.kill(process, signal.SIGKILL)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
