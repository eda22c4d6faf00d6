"""Trials that share a GPU: without one by what the executor is told, and on a real one."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from evonas.blueprint import Blueprint
from evonas.executors import EXECUTORS, Executor
from evonas.executors.packing import Packing, share_of
from evonas.settings import ExecutorSettings
from evonas.trial import Assignment, Notes, Outcome, Trial

PEAK = 0.3  # share_of gives 7/16: two trials beside each other
ON_A_GPU = [
    pytest.mark.gpu,
    pytest.mark.slow,
    pytest.mark.skipif(torch.cuda.device_count() != 1, reason="there is not one GPU"),
]


@dataclass(frozen=True)
class Sharing:
    """Trials that see each other by the files that they leave while they run."""

    notes: Path

    def prepare(self) -> None:
        self.notes.mkdir(exist_ok=True)

    def duration_s(self, trial: Trial) -> float | None:
        return None

    def __call__(self, assignment: Assignment) -> Outcome:
        trial = assignment.trial
        mark = self.notes / f"runs-{trial.number}"
        mark.touch()
        try:
            return self.run(trial, trial.blueprint.network["wish"])
        finally:
            mark.unlink()

    def run(self, trial: Trial, wish: str) -> Outcome:
        beside = self.others(trial)
        if wish == "meet":
            wait_until(lambda: self.others(trial) > 0 or (self.notes / "met").exists())
            (self.notes / "met").touch()
        if wish == "stay until one is crowded out":
            wait_until((self.notes / "crowded").exists)
        if wish == "need room" and beside:
            (self.notes / "crowded").touch()
            raise torch.OutOfMemoryError("too little is left")
        if wish == "need more than there is":
            raise torch.OutOfMemoryError("too little in all")
        notes = Notes(gpu_memory_share=PEAK)
        return Outcome(trial.number, "complete", {"beside": float(beside)}, notes=notes)

    def others(self, trial: Trial) -> int:
        return len(set(self.notes.glob("runs-*")) - {self.notes / f"runs-{trial.number}"})


@dataclass(frozen=True)
class OnGpu(Sharing):
    """The same with real memory: `share` is how much of the GPU's a trial takes."""

    share: float = 0.3

    def run(self, trial: Trial, wish: str) -> Outcome:
        total = torch.cuda.get_device_properties(0).total_memory
        taken = torch.empty(int(self.share * total), dtype=torch.uint8, device="cuda")
        outcome = super().run(trial, wish)
        return Outcome(trial.number, "complete", {**outcome.measures, "bytes": taken.numel()})


def trial(number: int, wish: str) -> Assignment:
    return Assignment(Trial(number, (), Blueprint({"wish": wish}), seed=number))


def open_executor(name: str, evaluate: Sharing, **settings: float | str) -> Executor:
    return EXECUTORS[name](evaluate, ExecutorSettings(name=name, **settings), 2)


def outcomes_of(executor: Executor, *wishes: str) -> dict[int, Outcome]:
    for number, wish in enumerate(wishes):
        executor.submit(trial(number, wish))
    return {outcome.number: outcome for outcome in (executor.wait() for _ in wishes)}


def check_first_alone_then_together(executor: Executor) -> None:
    outcomes = outcomes_of(executor, "be measured", "meet", "meet")
    assert [outcome.status for outcome in outcomes.values()] == ["complete"] * 3
    assert outcomes[0].measures["beside"] == 0
    assert executor.packing.share == share_of(PEAK)


def check_crowded_out_is_run_alone(executor: Executor) -> None:
    notes = executor.evaluate.notes
    executor.submit(trial(0, "stay until one is crowded out"))
    wait_until((notes / "runs-0").exists)
    executor.submit(trial(1, "need room"))
    executor.submit(trial(2, "be measured"))
    outcomes = {outcome.number: outcome for outcome in (executor.wait() for _ in range(3))}
    assert [outcomes[number].status for number in range(3)] == ["complete"] * 3
    assert [outcomes[number].attempts for number in range(3)] == [1, 2, 1]
    assert outcomes[1].measures["beside"] == 0


def check_too_large_fails_once_alone(executor: Executor) -> None:
    outcome = outcomes_of(executor, "need more than there is")[0]
    assert (outcome.status, outcome.error_kind) == ("failed", "out_of_memory")
    assert outcome.attempts == 2


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executor]:
    """Two workers for all tests here, which tell the executor what it may believe of GPUs."""
    with open_executor("local", Sharing(tmp_path_factory.mktemp("local") / "notes")) as executor:
        yield executor


@pytest.mark.slow
class TestLocalWorkersToldOfAGpu:
    def test_trials_share_once_their_memory_is_known(self, local: Executor) -> None:
        local.packing = Packing("auto", [2])
        check_first_alone_then_together(local)

    def test_out_of_memory_beside_others_is_tried_alone(self, local: Executor) -> None:
        local.packing = Packing(0.5, [2])
        check_crowded_out_is_run_alone(local)

    def test_out_of_memory_alone_is_a_failure(self, local: Executor) -> None:
        local.packing = Packing(0.5, [2])
        check_too_large_fails_once_alone(local)

    def test_out_of_memory_on_a_whole_gpu_is_one_at_once(self, local: Executor) -> None:
        local.packing = Packing(1.0, [2])
        outcome = outcomes_of(local, "need more than there is")[0]
        assert (outcome.error_kind, outcome.attempts) == ("out_of_memory", 1)


class TestOnARealGpu:
    pytestmark = ON_A_GPU

    @pytest.mark.parametrize("name", ["local", pytest.param("ray", marks=pytest.mark.ray)])
    def test_trials_are_measured_and_then_share(
        self, name: str, tmp_path: Path, request: pytest.FixtureRequest
    ) -> None:
        if name == "ray":
            request.getfixturevalue("ray_cluster")
        evaluate = OnGpu(tmp_path / "notes", share=PEAK)
        with open_executor(name, evaluate, gpus_per_trial="auto") as executor:
            check_first_alone_then_together(executor)
            outcome = outcomes_of(executor, "be measured")[0]
        assert outcome.notes.gpu_memory_share == pytest.approx(PEAK, rel=0.01)
        assert outcome.details["gpu_memory_mib"] == pytest.approx(
            outcome.measures["bytes"] / 2**20, rel=0.01
        )

    def test_what_finds_no_room_beside_another_is_run_alone(self, tmp_path: Path) -> None:
        evaluate = Greedy(tmp_path / "notes", share=0.6)
        with open_executor("local", evaluate, gpus_per_trial=0.5) as executor:
            executor.submit(trial(0, "stay until one is crowded out"))
            wait_until((tmp_path / "notes" / "holds").exists)
            executor.submit(trial(1, "be measured"))
            outcomes = [executor.wait() for _ in range(2)]
        assert [outcome.number for outcome in outcomes] == [0, 1]
        assert [outcome.status for outcome in outcomes] == ["complete"] * 2
        assert [outcome.attempts for outcome in outcomes] == [1, 2]


@dataclass(frozen=True)
class Greedy(OnGpu):
    """Takes more than the half that it is given; tells when it has it and when it got none."""

    def run(self, trial: Trial, wish: str) -> Outcome:
        try:
            return super().run(trial, wish)
        except torch.OutOfMemoryError:
            (self.notes / "crowded").touch()
            raise

    def others(self, trial: Trial) -> int:
        (self.notes / "holds").touch()  # called when the memory is taken
        return super().others(trial)


def wait_until(condition, timeout_s: float = 30.0) -> None:  # type: ignore[no-untyped-def]
    """Polls a condition; fails the trial or the test if it never holds."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.02)
