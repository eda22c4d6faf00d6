"""Siblings side by side: one training for all that differ in compression alone."""

from pathlib import Path

import pytest
from conftest import FIXED, changed, table, typed

from evonas.runs import load_run

COMPRESSION = """\
compression:
  pruning: {method: {choice: [none, weights]}}
  quantisation:
    method: {choice: [none, weights]}
    bits: {choice: [8, 4], when: {method: weights}}
"""


@pytest.mark.slow
def test_siblings_wait_for_the_training_in_flight_and_end_as_one_after_the_other() -> None:
    networks = ("channels: 16", "channels: {choice: [8, 24]}")
    Path("own.yaml").write_text(changed(FIXED, networks) + COMPRESSION)
    words = ["space=./own.yaml", "data.subset=200", "training.epochs=2", "display=none"]
    words += ["objectives=accuracy,size_mib", "budget.evaluations=9", "schedule=generational"]
    for executor in ("inline", "local"):
        result = typed(
            *("search", *words, "evolver.population=6", f"executor={executor}"),
            *("executor.workers=3", f"run.name={executor}"),
        )
        assert result.returncode == 0, result.stderr
    assert table("local") == table("inline")
    records = load_run(Path("runs/local")).records
    outcomes = [o for o in records.outcomes.values() if o.source is None]
    firsts = [o.number for o in outcomes if o.notes.training_of is None]
    designs = {str(records.trials[o.number].blueprint.network) for o in outcomes}
    assert len(outcomes) == 9
    assert len(firsts) == len(designs) == 2
