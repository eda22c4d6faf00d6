"""A run is read as it is at one moment, while its driver goes on."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import evonas
from evonas.runs.ledger import Ledger
from evonas.runs.run import read_run
from evonas.trial import Trial


class OvertakenLedger(Ledger):
    """As soon as all trials are read, the driver adds one that is finished at once."""

    path: Path

    def trials(self) -> Iterator[tuple[Trial, int]]:
        known = list(super().trials())
        yield from known
        last, seen = known[-1]
        driver = Ledger.open(self.path)
        driver.add_trials([replace(last, number=last.number + 1)], seen)
        outcome = next(driver.outcomes())
        driver.add_outcome(replace(outcome, number=last.number + 1), {})
        driver.close()


def test_a_trial_that_is_added_and_finished_meanwhile_is_not_seen_by_halves(
    working_folder: Path,
) -> None:
    words = ["space=nano", "data.subset=100", "training.epochs=1", "objectives=macs"]
    evonas.search([*words, "executor=inline", "budget.evaluations=2", "run.name=read"])
    folder = working_folder / "runs" / "read"
    ledger = OvertakenLedger.open(folder / "run.db")
    assert isinstance(ledger, OvertakenLedger)
    ledger.path = folder / "run.db"
    for expected in (2, 3):
        run = read_run(folder, ledger)
        assert len(run.trials()) == len(run.records.outcomes) == expected
    ledger.close()
