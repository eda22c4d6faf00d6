"""Lines while nothing else is told: never too rarely, never too often."""

import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import pytest
from conftest import EVONAS, typed

from evonas.reports import epochs
from evonas.reports.epochs import EpochLines
from evonas.reports.ticker import Ticker

WAITING = """
import pathlib, time

def f(blueprint):
    pathlib.Path("begun").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.02)
    return 1.0
"""
WORDS = ["search", "space=./values.yaml", "evaluator=python", "objectives=v:max", "display=plain"]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def due_after(silence_s: float, begun_before_s: float = 0.0) -> bool:
    clock = Clock()
    ticker = Ticker(lambda: None, clock=clock)
    clock.now = begun_before_s
    ticker.told()
    clock.now += silence_s
    return ticker.is_due


def test_silence_ends_after_ten_seconds_and_of_days_after_minutes() -> None:
    assert not due_after(9.9)
    assert due_after(10)
    assert not due_after(9.9, begun_before_s=600)
    assert due_after(10, begun_before_s=600)
    assert not due_after(800, begun_before_s=86_400)
    assert due_after(900, begun_before_s=86_400)


def test_it_ticks_while_nothing_is_told_and_is_over_at_the_end() -> None:
    twice = threading.Semaphore(0)
    with Ticker(twice.release, silence_s=0.01) as ticker:
        assert twice.acquire(timeout=60)
        assert twice.acquire(timeout=60)
    assert not ticker._thread.is_alive()


def test_many_epochs_are_told_by_tenths(capsys: pytest.CaptureFixture[str]) -> None:
    lines = EpochLines()
    lines.begin(1000, done=500)
    for epoch in range(501, 1001):
        lines.finished(epoch, 0.5)
    told = capsys.readouterr().err.splitlines()
    assert [line.split(" · ")[0] for line in told] == [
        f"epoch {epoch}/1000" for epoch in (600, 700, 800, 900, 1000)
    ]


def test_slow_epochs_are_told_each_with_their_score_and_the_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = EpochLines()
    lines.begin(100)
    clock = Clock()
    monkeypatch.setattr(epochs.time, "monotonic", clock)
    lines.since, lines.ticker.clock = clock.now, clock
    lines.ticker.told()
    for epoch in (1, 2, 3):
        clock.now += 3
        lines.finished(epoch, 0.5, "validation accuracy 0.9000")
    told = capsys.readouterr().err.splitlines()
    assert told[0] == ("epoch 1/100 · loss 0.5000 · validation accuracy 0.9000 · 4 min 57 s left")
    assert len(told) == 3


def test_few_epochs_are_told_each_and_a_long_one_while_it_works(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = EpochLines()
    lines.begin(3)
    lines.tick()
    for epoch in (1, 2, 3):
        lines.finished(epoch, 0.5)
    told = capsys.readouterr().err.splitlines()
    assert re.match(r"epoch 1/3 is under way · [\d.]+ s so far", told[0])
    assert [line.split(" · ")[0] for line in told[1:]] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]


def prepared(text: str) -> None:
    Path("values.yaml").write_text("title: numbers\nvalues:\n  a: {float: [0, 1]}\n")
    Path("mine.py").write_text(text)


@pytest.mark.parametrize(("evaluations", "lines"), [(5, 5), (10, 10), (200, 10)])
def test_quick_searches_have_a_line_for_each_tenth(evaluations: int, lines: int) -> None:
    prepared("def f(blueprint):\n    return 1.0\n")
    words = [*WORDS, "evaluator.function=mine:f", "executor=inline", "evolver=random"]
    result = typed(*words, f"budget.evaluations={evaluations}", "run.name=quick")
    told = re.findall(r"^(\d+)/\d+ evaluations · ", result.stderr, re.MULTILINE)
    assert [int(done) for done in told] == [evaluations * n // lines for n in range(1, lines + 1)]
    more = typed("resume", "quick", f"budget.evaluations=+{evaluations}", "--json").stderr
    told = re.findall(r"^(\d+)/\d+ evaluations · ", more, re.MULTILINE)
    assert int(told[0]) > evaluations
    assert int(told[-1]) == 2 * evaluations


def lines_of(stream: IO[str], pattern: str) -> Iterator[str]:
    """Lines up to the first that matches."""
    for line in stream:
        yield line
        if re.search(pattern, line):
            return


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "local"])
def test_a_search_whose_first_trial_takes_long_says_what_is_running(executor: str) -> None:
    prepared(WAITING)
    words = [*WORDS, "evaluator.function=mine:f", f"executor={executor}", "executor.workers=1"]
    words += ["budget.evaluations=1", "budget.seconds=1000"]
    with subprocess.Popen(
        [str(EVONAS), *words], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stderr is not None
        try:
            told = list(lines_of(process.stderr, "running"))
        finally:
            Path("go").touch()
        rest = process.stderr.read()
    assert process.returncode == 0, rest
    assert re.match(r"0/1 evaluations · front 0 · 1 running, trial 0 for [1-9]", told[-1])
    assert rest.startswith("1/1 evaluations · best v 1")


def test_time_left_is_that_of_the_budget_that_ends_first() -> None:
    from evonas.reports.progress import SilentDisplay
    from evonas.settings import BudgetSettings, Settings

    def left(seconds: float | None) -> str:
        budget = BudgetSettings(evaluations=100, seconds=seconds)
        display = SilentDisplay("run", Settings(budget=budget), [])
        clock = Clock()
        display.clock = clock
        display.since = 0.0
        display.records = SimpleNamespace(evaluations=10)  # type: ignore[assignment]
        clock.now = 10.0
        return display.pace()[-1]

    assert left(None) == "1 min 30 s left"
    assert left(1000) == "1 min 30 s left"
    assert left(40) == "30 s left"


def test_making_the_first_search_says_what_it_installs() -> None:
    makefile = Path(__file__).parents[2] / "Makefile"
    for name in ("pyproject.toml", "constraints.txt"):
        Path(name).touch()
    words = ["make", "--dry-run", "-f", str(makefile), "search"]
    planned = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert planned.index("Making a virtual environment in .venv.") < planned.index("-m venv")
    assert planned.index("Installing evonas and what it needs") < planned.index("pip install")
    assert "--quiet" not in planned
