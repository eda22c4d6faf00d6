"""Real searches with rungs, and with inherited weights: what they leave, say and survive."""

import csv
import io
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import EVONAS, QUICK_OF, finished, table, typed

from evonas.driver import resume, search
from evonas.reports.console import PlainConsole
from evonas.reports.csv_file import write_csv
from evonas.reports.summary import run_summary, trial_summary
from evonas.reports.tables import print_run, print_trial
from evonas.runs import load_run

RUNGS = ["fidelity.rungs=1,2,3", "fidelity.reduction=2"]
WORDS_OF = {task: [*words, *RUNGS, "evolver.population=4"] for task, words in QUICK_OF.items()}
WORDS = WORDS_OF["classification"]


def kept(name: str) -> set[int]:
    """Trials whose weights are on the disk."""
    return {int(path.parent.name) for path in Path(f"runs/{name}/trials").glob("*/weights.*")}


def test_a_search_with_rungs_is_told_in_words_and_in_numbers(
    capfd: pytest.CaptureFixture[str],
) -> None:
    words = [*WORDS, "executor=inline", "budget.evaluations=8", "run.name=halved"]
    run = search(words)
    records = run.records
    lines = capfd.readouterr().err.splitlines()
    assert any(line.startswith("8/8 evaluations · ") and " promotions" in line for line in lines)
    assert records.evaluations == 8
    assert {run.records.trials[number].rung for number in records.front} == {2}
    assert run.settings.training.epochs == 3
    assert {len(o.curve) for t, o in run.trials() if o and o.source is None} == {1}
    assert kept("halved") >= set(records.front)
    assert kept("halved") < set(records.trials)
    summary = run_summary(run)
    assert summary["promotions"] == records.promotions > 2
    assert [rung["epochs"] for rung in summary["rungs"]] == [1, 2, 3]
    assert sum(summary["counts"].values()) == records.begun
    assert f"{records.promotions} promotions" in shown(print_run, summary)
    best = run.pair(records.front[0])[0]
    assert best.continues is not None
    words_of_best = shown(print_trial, trial_summary(run, *run.pair(best.number)))
    assert f"2, continues trial {best.continues}" in words_of_best
    words_before = shown(print_trial, trial_summary(run, *run.pair(best.continues)))
    assert "of run halved, promoted" in words_before
    assert f"goes on in trial {best.number}" in words_before
    write_csv(run.rows(), Path("all.csv"))
    rows = list(csv.DictReader(Path("all.csv").read_text().splitlines()))
    assert [int(row["rung"]) for row in rows] == [trial.rung for trial, _ in run.trials()]
    assert rows[best.number]["continues"] == str(best.continues)


def shown(table: Callable[[Any, PlainConsole], None], summary: dict[str, Any]) -> str:
    console = PlainConsole(file=io.StringIO(), width=160)
    table(summary, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_last_rung_can_begin_anew() -> None:
    words = [*WORDS, "executor=inline", "budget.evaluations=4", "display=none"]
    run = search([*words, "fidelity.whole=true", "run.name=whole"])
    curves = {(t.rung, len(o.curve)) for t, o in run.trials() if o and o.source is None}
    assert curves == {(0, 1), (1, 1), (2, 3)}


@pytest.mark.parametrize("task", WORDS_OF)
def test_promotions_do_not_depend_on_what_weights_were_kept(task: str) -> None:
    words = [*WORDS_OF[task], "executor=inline", "budget.evaluations=4", "display=none"]
    whole = search([*words, "run.name=whole"])
    search([*words, "run.name=parts", "budget.evaluations=2"])
    for number in kept("parts"):
        Path(f"runs/parts/trials/{number}/weights.safetensors").unlink()
    search([*words, "run.name=again", "budget.evaluations=2"])
    lost = resume(Path("runs/parts"), ["budget.evaluations=+2"])
    resume(Path("runs/again"), ["budget.evaluations=+2"])
    assert table("parts") == table("again")
    assert lost.records.evaluations == whole.records.evaluations == 4
    assert lost.records.promotions >= 3


@pytest.mark.slow
def test_a_driver_killed_again_and_again_ends_with_the_uninterrupted_run() -> None:
    words = [*WORDS, "executor=inline", "budget.evaluations=12"]
    assert typed("search", *words, "run.name=whole").returncode == 0
    command = [str(EVONAS), "search", *words, "run.name=killed"]
    for target in (4, 11):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as driver:
            end = time.monotonic() + 120
            while finished("killed") < target:
                assert time.monotonic() < end
                assert driver.poll() is None
                time.sleep(0.02)
            driver.kill()
        command = [str(EVONAS), "resume", "killed"]
    assert typed("resume", "killed").returncode == 0
    assert table("killed") == table("whole")
    assert kept("killed") == kept("whole")


@pytest.mark.slow
def test_workers_side_by_side_promote_too() -> None:
    words = [*WORDS, "executor=local", "executor.workers=2", "budget.evaluations=10"]
    result = typed("search", *words, "run.name=two", "fidelity.of=data", "fidelity.rungs=25,50,100")
    assert result.returncode == 0, result.stderr
    records = load_run("runs/two").records
    assert records.evaluations == 10
    assert records.promotions >= 5
    assert not records.unfinished
    counts = {**records.counts()}
    assert counts["failed"] == 0
    assert counts["complete"] >= 1


@pytest.mark.parametrize("task", QUICK_OF)
def test_children_begin_with_their_parents_weights(task: str) -> None:
    words = [*QUICK_OF[task], "executor=inline", "display=none"]
    words += ["evolver.population=4", "evolver.surrogate=false", "budget.evaluations=12"]
    run = search([*words, "training.inherit=true", "run.name=heirs"])
    own = [(t, o) for t, o in run.trials() if o and o.source is None]
    details = {t.number: o.details for t, o in own if o.notes.training_of is None}
    children = [t for t, _ in run.trials() if t.parents and t.number in details]
    assert len(children) >= 3
    for child in children:
        parent = run.records.trained_by(child.parents[0])
        assert details[child.number]["inherited_from"] == parent
        assert 0 < details[child.number]["inherited_share"] <= 1
    assert all("inherited_from" not in details[t.number] for t, _ in run.trials() if not t.parents)
    plain = search([*words, "run.name=plain"])
    assert all("inherited_from" not in o.details for _, o in plain.trials() if o)
