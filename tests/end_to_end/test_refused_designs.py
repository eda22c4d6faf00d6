"""Real searches that leave designs out by a score or a foretold latency, and go on after a stop."""

import io
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import QUICK

from evonas.driver import resume, search
from evonas.driver.preparation import check, set_up
from evonas.reports.console import PlainConsole
from evonas.reports.summary import trial_summary
from evonas.reports.tables import print_trial
from evonas.runs import Run, load_run
from evonas.runs.ledger import Ledger
from evonas.settings import Words
from evonas.trial import Outcome, Trial

INLINE = [*QUICK, "executor=inline", "display=none", "evolver=random"]
# The score is an objective too: so it foretells the fitness whatever the trainings give.
FILTER = ["objectives=grad_norm,accuracy", "filter.proxy=grad_norm", "filter.trust=4"]


def stopped(run: Run, name: str, events: int) -> Path:
    """A copy of the run as it was when so many trials had finished: killed within the next."""
    folder = Path(shutil.copytree(run.folder, run.folder.with_name(name)))
    with closing(sqlite3.connect(folder / "run.db")) as db:
        db.execute("DELETE FROM outcomes WHERE event > ?", (events,))
        db.execute("DELETE FROM trials WHERE seen > ?", (events,))
        db.execute("DELETE FROM sessions")
        db.commit()
    ledger = Ledger.open(folder / "run.db")
    ledger.begin_session(workers=1)  # tells how many outcomes there are
    ledger.write_meta({"ended": None})
    ledger.close()
    for weights in folder.glob("trials/*"):
        shutil.rmtree(weights)
    return folder


def decisions(run: Run) -> list[Any]:
    """What two runs that did the same have in common."""
    return [(trial, told(outcome)) for trial, outcome in run.trials()]


def told(outcome: Outcome | None) -> Any:
    assert outcome is not None
    seconds = {"seconds", "relative_error"}
    details = {key: value for key, value in outcome.details.items() if key not in seconds}
    return outcome.status, outcome.measures, outcome.error_text, outcome.curve, details


def filtered(run: Run) -> list[tuple[Trial, Outcome]]:
    return [(trial, o) for trial, o in run.trials() if o is not None and o.status == "filtered"]


def test_designs_with_a_bad_score_are_not_trained_and_cost_nothing() -> None:
    run = search([*INLINE, *FILTER, "budget.evaluations=18", "run.name=scored"])
    left_out = filtered(run)
    counts = run.records.counts()
    assert counts["filtered"] == len(left_out) >= 3
    assert counts["complete"] == run.records.evaluations == 18
    scores = [o.measures["grad_norm"] for _, o in run.trials() if o and o.status != "filtered"]
    for trial, outcome in left_out:
        assert "accuracy" not in outcome.measures
        assert outcome.measures["grad_norm"] < max(scores)
        assert run.records.fitness(outcome) is None
        assert trial.number not in run.records.front
        assert not (run.folder / "trials" / str(trial.number)).exists()
    console = PlainConsole(file=io.StringIO(), width=160)
    print_trial(trial_summary(run, *left_out[0]), console)
    assert "filter: grad_norm is " in console.file.getvalue()  # type: ignore[attr-defined]
    for events in (left_out[0][0].number, left_out[-1][0].number):
        folder = stopped(run, f"after-{events}", events)
        again = resume(folder)
        assert decisions(again) == decisions(run)


def test_with_rungs_only_new_designs_are_left_out_and_they_are_not_promoted() -> None:
    rungs = ["fidelity.rungs=1,2", "fidelity.reduction=2"]
    run = search([*INLINE, *FILTER, *rungs, "budget.evaluations=20", "run.name=both"])
    left_out = filtered(run)
    assert left_out
    assert all(trial.rung == 0 for trial, _ in left_out)
    assert run.records.promoted.keys().isdisjoint(trial.number for trial, _ in left_out)
    assert run.records.promotions > 0
    assert run.records.evaluations == 20
    again = resume(stopped(run, "again", left_out[1][0].number))
    assert decisions(again) == decisions(run)


@pytest.mark.slow
def test_what_is_foretold_to_be_far_too_slow_is_not_built(run_copy: Path) -> None:
    measured = [o.measures["latency_ms"] for _, o in load_run(run_copy).trials() if o is not None]
    limit_ms = sorted(measured)[len(measured) // 4]
    words = [*INLINE, f"constraints.latency_ms.max={limit_ms}"]
    words += ["latency.predictor=true", "budget.evaluations=5", "run.name=limited"]
    run = search(words)
    foretold = [(t, o) for t, o in run.trials() if o is not None and o.notes.foretold]
    assert foretold
    assert run.records.evaluations == 5
    evaluator = set_up(check(Words(words)), run.folder, run.facts).evaluator
    for trial, outcome in foretold:
        assert outcome.status == "infeasible"
        assert outcome.measures.keys() == {"macs", "parameters"}
        assert "latency_ms is predicted as" in (outcome.error_text or "")
        assert outcome.seconds == 0
        past = run.records.history().finished[list(run.records.outcomes).index(trial.number)]
        assert past.fitness is None
        assert past.excess == pytest.approx(
            outcome.notes.foretold["latency_ms"] / limit_ms - 1, rel=1e-9
        )
    bench = evaluator.bench(foretold[0][0].blueprint)
    assert bench is not None
    assert bench.take("latency_ms") > limit_ms
