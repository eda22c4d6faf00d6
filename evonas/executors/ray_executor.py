"""Trials as Ray tasks: on this machine by default, on a cluster with `executor.address`."""

import math
import os
import sys
from collections.abc import Callable
from tempfile import TemporaryFile
from typing import Any

from evonas.errors import ExecutorError
from evonas.executors.executor import Evaluate, Executor, Lost, run_trial
from evonas.executors.packing import Packing, Place
from evonas.settings import ExecutorSettings
from evonas.standard_output import led_to
from evonas.trial import Outcome, Trial

# Read by Ray when it is imported.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

MOST_PRINTED = 100_000  # bytes of what a trial prints that the driver passes on
LOADING_GPUS = 0.001  # so little that all workers load at the same time, where the GPUs are


class RayExecutor(Executor):
    """Tasks without Ray's own retries: a retry that nobody counts would be a trial done twice.

    Trials that would have to wait for room on a GPU are kept back, so that no time limit runs
    while Ray queues them. On several GPUs each trial starts a process of its own.
    """

    def __init__(self, evaluate: Evaluate, settings: ExecutorSettings, workers: int) -> None:
        super().__init__(evaluate, settings, workers)
        self._numbers: dict[Any, int] = {}
        self._ray: Any = None
        self._owns_cluster = False

    def _open(self) -> None:
        import ray

        if not ray.is_initialized():
            cpus = math.ceil(self.workers * self.settings.cpus_per_trial)
            start_ray(cpus, self.settings.address)
            self._owns_cluster = True
        self._ray = ray
        self._check_resources()
        self.packing = self._packing()
        task = self._task()
        shared = ray.put(self.evaluate)
        self._start: Callable[[Trial, float], Any] = lambda trial, gpus: task.options(
            num_gpus=gpus
        ).remote(shared, trial)
        load = task.options(num_gpus=LOADING_GPUS if self.settings.gpus_per_trial else 0)
        # One task for each worker at the same time, so that all of them start and load.
        loading = [load.remote(shared, None) for _ in range(1 if self._is_bound else self.workers)]
        try:
            ray.get(loading)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None

    @property
    def _is_bound(self) -> bool:
        """True if a process that has run a trial can see one GPU, and the next may get another."""
        return self.settings.gpus_per_trial != 0 and self._gpus > 1

    def _task(self) -> Any:
        """What Ray runs."""
        options = {
            "num_cpus": self.settings.cpus_per_trial,
            "max_retries": 0,
            "max_calls": 1 if self._is_bound else 0,
        }
        return self._ray.remote(**options)(_evaluate_in_worker)

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
        if self._ray is None:
            return
        for reference in list(self._numbers):
            self._ray.cancel(reference, force=True)
        self._numbers.clear()
        if self._owns_cluster:
            self._ray.shutdown()
        self._ray = None

    def _launch(self, trial: Trial, place: Place) -> None:
        self._numbers[self._start(trial, place.share)] = trial.number

    def _collect(self, timeout_s: float) -> list[tuple[int, Outcome | Lost]]:
        done, _ = self._ray.wait(list(self._numbers), num_returns=1, timeout=timeout_s)
        return [(self._numbers.pop(reference), self._result(reference)) for reference in done]

    def _result(self, reference: Any) -> Outcome | Lost:
        errors = self._ray.exceptions
        try:
            done: tuple[Outcome, str] = self._ray.get(reference)
        except errors.OutOfMemoryError as error:
            return Lost(f"stopped by Ray for lack of memory ({_first_line(error)})")
        except errors.RayError as error:
            return Lost(_first_line(error))
        outcome, printed = done
        sys.stderr.write(printed)
        return outcome

    def _stop(self, number: int) -> None:
        reference = next(ref for ref, own in self._numbers.items() if own == number)
        del self._numbers[reference]
        self._ray.cancel(reference, force=True)


def _evaluate_in_worker(evaluate: Evaluate, trial: Trial | None) -> tuple[Outcome, str] | None:
    """The task: an outcome, and what was printed; without a trial it loads what trials need."""
    if trial is None:
        evaluate.prepare()
        return None
    with TemporaryFile() as file:
        with led_to(file.fileno()):
            outcome = run_trial(evaluate, trial)
        file.seek(0)
        return outcome, file.read(MOST_PRINTED).decode(errors="replace")


def start_ray(workers: int, address: str = "local") -> Any:
    """Starts Ray on this machine for so many one-core workers, or joins a cluster; the module.

    Without dashboard and without Ray's own output.

    Raises:
        ExecutorError: Ray does not start, or there is no cluster at the address.
    """
    import ray
    from ray._private import worker

    # Ray prints "(raylet) A worker died" to standard output whatever its log level.
    worker.print_to_stdstream = lambda *arguments, **options: None
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
    if address == "local":
        options |= {"num_cpus": workers, "include_dashboard": False}
    before = os.environ.get("PYTHONPATH")
    # Workers find the modules that this process finds: a user's function may lie anywhere.
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    try:
        ray.init(address=address, **options)
    except (ConnectionError, OSError, RuntimeError, ValueError) as problem:
        raise ExecutorError(
            f"Ray did not start at executor.address={address}: {problem}."
        ) from None
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return ray


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
