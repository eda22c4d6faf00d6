"""Trials in processes of our own on this machine: no service, no scheduler, no port."""

import contextlib
import io
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler

import torch

from evonas import interrupts
from evonas.errors import ExecutorError
from evonas.executors.executor import Evaluate, Executor, Lost, run_trial
from evonas.executors.packing import Packing, Place, slots_of
from evonas.settings import ExecutorSettings
from evonas.trial import Assignment, Outcome

READY = "ready"
VISIBLE = "CUDA_VISIBLE_DEVICES"  # read when a process first uses CUDA
# A fresh interpreter: no locks, threads or GPU contexts are inherited half-way.
CONTEXT = multiprocessing.get_context("spawn")


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    gpu: int | None  # the only one it sees; None if trials need none
    number: int | None = None  # of the trial it runs
    is_ready: bool = False  # through with its preparation

    @property
    def is_busy(self) -> bool:
        return self.number is not None


class LocalExecutor(Executor):
    """One process per worker, kept from trial to trial and replaced when it is lost.

    If trials need a GPU, the workers are dealt out to the GPUs and each sees its own alone.
    """

    def __init__(self, evaluate: Evaluate, settings: ExecutorSettings, workers: int) -> None:
        super().__init__(evaluate, settings, workers)
        self._workers: list[_Worker] = []

    def _open(self) -> None:
        gpus = self._gpus()
        if gpus:
            slots = slots_of(self.workers, gpus)
            self.packing = Packing(self.settings.gpus_per_trial, slots)
        self._check_evaluate()
        numbers = [index % gpus if gpus else None for index in range(self.workers)]
        for gpu in numbers:
            self._start_worker(gpu)
        for worker in self._workers:
            self._await_ready(worker)

    def _check_evaluate(self) -> None:
        """Raises unless the evaluation can be sent to another process."""
        try:
            ForkingPickler.dumps(self.evaluate)
        except Exception as error:  # whatever the user's objects raise
            raise ExecutorError(
                f"executor=local cannot send the evaluation to another process: {error}. Let it be "
                "a function that a def at the left margin of a module makes, or take "
                "executor=inline."
            ) from None

    def _gpus(self) -> int:
        """How many GPUs trials are dealt out to; 0 if they need none."""
        if not self.settings.gpus_per_trial:
            return 0
        lack = self.lack(self.settings)
        if lack is not None:
            raise ExecutorError(lack)
        return torch.cuda.device_count()

    def _close(self) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()
        self._workers = []

    def _launch(self, assignment: Assignment, place: Place) -> None:
        free = (worker for worker in self._workers if not worker.is_busy)
        worker = next(worker for worker in free if worker.gpu in (None, place.gpu))
        worker.number = assignment.number
        if worker.is_ready:
            self._begins(assignment.number)
        # If it died while idle, `_collect` sees the closed pipe and reports it lost.
        with contextlib.suppress(OSError):
            worker.pipe.send(assignment)

    def _collect(self, timeout_s: float) -> list[tuple[int, Outcome | Lost]]:
        busy = {worker.pipe: worker for worker in self._workers if worker.is_busy}
        for pipe in wait(list(busy), timeout_s):
            assert isinstance(pipe, Connection)
            worker = busy[pipe]
            number = worker.number
            assert number is not None, "a busy worker has a trial"
            try:
                message = pipe.recv()
            except (EOFError, OSError):
                self._replace(worker)
                return [(number, Lost(_how_it_ended(worker.process)))]
            if message == READY:  # a replacement
                worker.is_ready = True
                self._begins(number)
                continue
            worker.number = None
            return [(number, message)]
        return []

    def _stop(self, number: int) -> None:
        self._replace(next(worker for worker in self._workers if worker.number == number))

    def _replace(self, worker: _Worker) -> None:
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()
        self._workers.remove(worker)
        # Last, so that the next trial goes to one that is through with its preparation.
        self._start_worker(worker.gpu)

    def _start_worker(self, gpu: int | None) -> None:
        ours, theirs = CONTEXT.Pipe()
        process = CONTEXT.Process(target=_serve, args=(theirs, self.evaluate, gpu), daemon=True)
        resource_tracker.ensure_running()  # its start would unblock Ctrl-C again
        with interrupts.held(), _ctrl_c_blocked():
            process.start()
            self._workers.append(_Worker(process, ours, gpu))
        theirs.close()

    def _await_ready(self, worker: _Worker) -> None:
        try:
            worker.pipe.recv()
            worker.is_ready = True
        except EOFError:
            worker.process.join()
            raise ExecutorError(
                f"A local worker ended while it was starting: {_how_it_ended(worker.process)}. "
                "Its own message stands above."
            ) from None


@contextlib.contextmanager
def _ctrl_c_blocked() -> Iterator[None]:
    """For what starts in the block: a Ctrl-C while it imports would end it with a traceback."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, evaluate: Evaluate, gpu: int | None) -> None:
    """A worker's life: prepare, then one trial after the other until the driver is gone."""
    # Ctrl-C is the driver's to handle. Programs that a trial starts have it as usual, though.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # What a trial printed is out when it ends, because its worker is killed in the end.
    assert isinstance(sys.stdout, io.TextIOWrapper), "a spawned process has the system's"
    sys.stdout.reconfigure(line_buffering=True)
    os.environ["OMP_NUM_THREADS"] = "1"
    if gpu is not None:
        os.environ[VISIBLE] = visible_gpu(gpu, os.environ.get(VISIBLE))
    evaluate.prepare()
    pipe.send(READY)
    while True:
        try:
            assignment = pipe.recv()
        except EOFError:
            return
        pipe.send(run_trial(evaluate, assignment))


def visible_gpu(gpu: int, visible: str | None) -> str:
    """What shows a process this GPU alone, of those that the user lets evonas see.

    Example:
        >>> visible_gpu(1, None), visible_gpu(1, "4,6")
        ('1', '6')
    """
    return visible.split(",")[gpu].strip() if visible else str(gpu)


def _end_with_parent() -> None:
    """A driver that is killed cannot stop its workers: they watch it themselves."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "workers are child processes"
    parent.join()
    os._exit(1)


def _how_it_ended(process: BaseProcess) -> str:
    code = process.exitcode
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
