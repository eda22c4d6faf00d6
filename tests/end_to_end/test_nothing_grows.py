"""A worker that has done many trials takes no more memory than one that has done a few."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from evonas.blueprint import Blueprint
from evonas.driver.preparation import Setup, check, set_up
from evonas.evaluation.evaluator import Evaluator
from evonas.executors import EXECUTORS, Evaluate
from evonas.settings import Words
from evonas.trial import Assignment, Outcome, Trial

TRIALS = 200
WARM = 20  # after so many trials all that is kept on purpose has been loaded
WITH_LATENCY = 8  # of so many trials one measures latency, which takes longer than the training
WORDS = ["space=nano", "data.subset=100", "training.epochs=1", "latency.spread=1"]
WORDS += ["executor=local", "executor.workers=1"]


@dataclass(frozen=True)
class Weighed:
    """An evaluator that notes the resident memory of its process after each trial, in MiB."""

    evaluator: Evaluator
    notes: Path

    def prepare(self) -> None:
        self.evaluator.prepare()

    def __call__(self, assignment: Assignment) -> Outcome:
        outcome = self.evaluator(assignment)
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        with self.notes.open("a") as notes:
            notes.write(f"{pages * os.sysconf('SC_PAGE_SIZE') / 2**20:.1f}\n")
        return outcome

    def duration_s(self, trial: Trial) -> float | None:
        return self.evaluator.duration_s(trial)


def random_trials(setup: Setup) -> list[Assignment]:
    """Different designs; most of them come with a latency, so that it is not measured."""
    rng = np.random.default_rng(7)
    designs: dict[str, Blueprint] = {}
    while len(designs) < TRIALS:
        design = setup.space.decode(setup.space.sample(rng))
        designs[design.fingerprint] = design
    return [
        Assignment(
            Trial(number, (), design, seed=number),
            known={} if number % WITH_LATENCY == 0 else {"latency_ms": 1.0},
        )
        for number, design in enumerate(designs.values())
    ]


def memory_after_trials(setup: Setup, evaluate: Evaluate, notes: Path) -> list[float]:
    settings = setup.settings.executor
    with EXECUTORS[settings.name](evaluate, settings, 1) as executor:
        for trial in random_trials(setup):
            executor.submit(trial)
            outcome = executor.wait()
            assert outcome.status == "complete", outcome.error_text
            assert outcome.attempts == 1
    return [float(line) for line in notes.read_text().splitlines()]


@pytest.mark.slow
def test_a_worker_takes_no_more_memory_after_200_trials_than_after_20(tmp_path: Path) -> None:
    checked = check(Words(WORDS))
    setup = set_up(checked, tmp_path / "run", checked.facts)
    notes = tmp_path / "notes"
    memory = memory_after_trials(setup, Weighed(setup.evaluator, notes), notes)
    assert len(memory) == TRIALS
    assert memory[-1] <= 1.1 * memory[WARM - 1], memory[WARM - 1 :: 20]
