"""Trials in processes of our own on this machine: no service, no scheduler, no port."""

import contextlib
import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from evonas.errors import ExecutorError
from evonas.executors.executor import Evaluate, Executor, Lost, run_trial
from evonas.settings import ExecutorSettings
from evonas.trial import Outcome, Trial

READY = "ready"
# A fresh interpreter: no locks, threads or GPU contexts are inherited half-way.
CONTEXT = multiprocessing.get_context("spawn")


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    number: int | None = None  # of the trial it runs

    @property
    def is_busy(self) -> bool:
        return self.number is not None


class LocalExecutor(Executor):
    """One process per worker, kept from trial to trial and replaced when it is lost."""

    def __init__(self, evaluate: Evaluate, settings: ExecutorSettings, workers: int) -> None:
        super().__init__(evaluate, settings, workers)
        self._workers: list[_Worker] = []

    def _open(self) -> None:
        self._workers = [self._start_worker() for _ in range(self.workers)]
        for worker in self._workers:
            self._await_ready(worker)

    def _close(self) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()
        self._workers = []

    def _launch(self, trial: Trial) -> None:
        worker = next(worker for worker in self._workers if not worker.is_busy)
        worker.number = trial.number
        # If it died while idle, `_collect` sees the closed pipe and reports it lost.
        with contextlib.suppress(OSError):
            worker.pipe.send(trial)

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
            if message == READY:  # a replacement that is through with its preparation
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
        self._workers[self._workers.index(worker)] = self._start_worker()

    def _start_worker(self) -> _Worker:
        ours, theirs = CONTEXT.Pipe()
        process = CONTEXT.Process(target=_serve, args=(theirs, self.evaluate), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _await_ready(self, worker: _Worker) -> None:
        try:
            worker.pipe.recv()
        except EOFError:
            worker.process.join()
            raise ExecutorError(
                f"A local worker ended while it was starting: {_how_it_ended(worker.process)}. "
                "Its own message stands above."
            ) from None


def _serve(pipe: Connection, evaluate: Evaluate) -> None:
    """A worker's life: prepare, then one trial after the other until the driver is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = "1"
    evaluate.prepare()
    pipe.send(READY)
    while True:
        try:
            trial = pipe.recv()
        except EOFError:
            return
        pipe.send(run_trial(evaluate, trial))


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
