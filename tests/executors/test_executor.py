"""The contract of executors, for each of them: one outcome a trial whatever happens."""

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from evonas.blueprint import Blueprint
from evonas.errors import TrialFailure
from evonas.executors import EXECUTORS, Executor
from evonas.settings import ExecutorSettings
from evonas.trial import Assignment, Outcome, Trial

NAMES = [
    pytest.param(name, marks=[pytest.mark.slow, *([pytest.mark.ray] if name == "ray" else [])])
    if name not in ("inline", "virtual")
    else name
    for name in EXECUTORS
]
OWN_PROCESSES = [name for name in NAMES if not isinstance(name, str)]


@dataclass(frozen=True)
class Misbehaving:
    """Does what the trial's blueprint says; `notes` counts attempts across processes."""

    notes: Path

    def prepare(self) -> None:
        self.notes.mkdir(exist_ok=True)

    def __call__(self, assignment: Assignment) -> Outcome:
        trial = assignment.trial
        attempt = len(list(self.notes.glob(f"{trial.number}-*")))
        (self.notes / f"{trial.number}-{attempt}").write_text(str(os.getpid()))
        wish = trial.blueprint.network["wish"]
        if wish == "raise":
            raise ValueError("no such luck")
        if wish == "diverge":
            raise TrialFailure("diverged", "the loss is nan")
        if wish == "no memory":
            raise MemoryError
        if wish == "hang":
            while True:
                time.sleep(1)
        if wish == "die" or (wish == "die once" and attempt == 0):
            os.kill(os.getpid(), signal.SIGKILL)
        return Outcome(trial.number, "complete", {"seed": float(trial.seed)})

    def duration_s(self, trial: Trial) -> float | None:
        return None


@dataclass(frozen=True)
class StartsLate(Misbehaving):
    """Takes its time to prepare in a fresh process."""

    seconds: float

    def prepare(self) -> None:
        super().prepare()
        with contextlib.suppress(FileExistsError):
            (self.notes / f"prepared-{os.getpid()}").mkdir()
            time.sleep(self.seconds)


def trial(number: int, wish: str = "work") -> Assignment:
    return Assignment(Trial(number, (), Blueprint({"wish": wish}), seed=100 + number))


def open_executor(name: str, folder: Path, **settings: float) -> Executor:
    return EXECUTORS[name](
        Misbehaving(folder / "notes"), ExecutorSettings(name=name, **settings), 2
    )


@pytest.fixture(scope="module")
def name(request: pytest.FixtureRequest) -> str:
    """The executor's; for Ray's the session's Ray is there."""
    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
    return str(request.param)


@pytest.fixture(scope="module")
def executor(name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executor]:
    """One for all tests of a kind: starting its processes takes seconds."""
    folder = tmp_path_factory.mktemp(name)
    with open_executor(name, folder, timeout_s=2.0, retries=1) as executor:
        yield executor


numbers = itertools.count()


def outcomes_of(executor: Executor, *wishes: str) -> list[Outcome]:
    """What becomes of trials with these wishes, in their order."""
    trials = [trial(next(numbers), wish) for wish in wishes]
    for each in trials:
        executor.submit(each)
    outcomes = {outcome.number: outcome for outcome in (executor.wait() for _ in trials)}
    return [outcomes[each.number] for each in trials]


@pytest.mark.parametrize("name", NAMES, indirect=True)
class TestEveryExecutor:
    def test_gives_one_outcome_for_each_trial(self, executor: Executor) -> None:
        outcomes = outcomes_of(executor, *["work"] * 7)
        assert [o.measures["seed"] for o in outcomes] == [100 + o.number for o in outcomes]

    def test_turns_what_a_trial_raises_into_its_outcome(self, executor: Executor) -> None:
        outcomes = outcomes_of(executor, "raise", "work", "diverge", "no memory")
        kinds = [outcome.error_kind for outcome in outcomes]
        assert kinds == ["error", None, "diverged", "out_of_memory"]
        assert outcomes[3].attempts == 1, "it shared no GPU: alone it would do no better"
        assert "ValueError: no such luck" in (outcomes[0].error_text or "")
        assert outcomes[2].error_text == "the loss is nan"

    def test_stops_a_trial_that_hangs_and_goes_on(self, executor: Executor) -> None:
        (late,) = outcomes_of(executor, "hang")
        (next_one,) = outcomes_of(executor, "work")
        assert (late.status, late.error_kind) == ("failed", "timeout")
        assert "executor.timeout_s=2" in (late.error_text or "")
        assert next_one.status == "complete"


@pytest.mark.parametrize("name", OWN_PROCESSES, indirect=True)
class TestExecutorsWithProcesses:
    def test_a_killed_worker_costs_one_retry(self, executor: Executor) -> None:
        killed, other = outcomes_of(executor, "die once", "work")
        assert (killed.status, killed.attempts, other.attempts) == ("complete", 2, 1)

    def test_a_trial_that_kills_its_workers_fails_in_the_end(self, executor: Executor) -> None:
        (outcome,) = outcomes_of(executor, "die")
        assert (outcome.status, outcome.error_kind) == ("failed", "worker_lost")
        assert outcome.attempts == 2
        assert len(list(executor.evaluate.notes.glob(f"{outcome.number}-*"))) == 2

    def test_the_start_of_a_replacement_is_not_the_next_trials_time(
        self, name: str, tmp_path: Path
    ) -> None:
        limit_s = 1.0
        evaluate = StartsLate(tmp_path / "notes", 2 * limit_s)
        settings = ExecutorSettings(name=name, timeout_s=limit_s)
        with EXECUTORS[name](evaluate, settings, 1) as executor:
            (outcome,) = outcomes_of(executor, "die once")
        assert (outcome.status, outcome.attempts) == ("complete", 2), outcome.error_text

    def test_leaving_stops_what_runs(self, name: str, tmp_path: Path) -> None:
        with open_executor(name, tmp_path) as executor:
            executor.submit(trial(0, "hang"))
            note = tmp_path / "notes" / "0-0"
            wait_until(lambda: note.exists() and note.read_text() != "")
        worker = int(note.read_text())
        wait_until(lambda: not is_alive(worker))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, timeout_s: float = 30.0) -> None:  # type: ignore[no-untyped-def]
    """Polls a condition; fails the test if it never holds."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.02)
