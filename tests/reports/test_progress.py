"""What a search shows: a live panel on a terminal, plain lines elsewhere, Ray's noise nowhere."""

import os
import pty
import re
import subprocess

import pytest
from conftest import EVONAS, QUICK, evonas, typed

SHORT = [*QUICK, "budget.evaluations=8", "evolver.population=4"]


def on_a_terminal(*words: str) -> str:
    """All that the command writes to a terminal of 100 columns, without the escape sequences."""
    main, end = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    with subprocess.Popen(
        [str(EVONAS), *words], stdin=end, stdout=end, stderr=end, env=environment
    ) as process:
        os.close(end)
        written = b""
        while True:
            try:
                chunk = os.read(main, 65536)
            except OSError:  # the terminal is gone with the last who had it open
                break
            if not chunk:
                break
            written += chunk
        os.close(main)
        assert process.wait() == 0
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written.decode())


@pytest.mark.slow
def test_a_terminal_has_a_panel_with_what_matters() -> None:
    words = [word for word in SHORT if word != "display=plain"]
    shown = on_a_terminal("search", *words, "executor=local", "run.name=shown")
    frames = shown.split("╭─ shown")
    assert len(frames) > 3
    last = frames[-1]
    assert re.search(r"done +\d+/8 evaluations · best accuracy [\d.]+ · front \d+", last)
    assert re.search(r"running +(-|\d+ \([\d.]+ s\))", last)
    assert re.search(r"trials +\d+ complete", last)
    assert "Pareto front" in shown


@pytest.mark.slow
@pytest.mark.ray
def test_elsewhere_there_are_plain_lines_and_nothing_of_ray() -> None:
    result = evonas("search", *SHORT, "executor=ray", "executor.workers=2", "--json")
    lines = result.stderr.splitlines()
    lines = [line for line in lines if not re.search("running|starting", line)]  # nothing yet
    assert len(lines) == 10, result.stderr
    assert lines[0].startswith("Data digits: 10 classes, ")
    assert re.match(
        r"Run nano-\S+ starts: 8 evaluations to do, objectives accuracy, latency", lines[1]
    )
    assert re.match(r"1/8 evaluations · best accuracy [\d.]+ · front \d", lines[2])
    assert lines[9].startswith("8/8 evaluations · ")
    assert result.stdout.startswith("{")


def test_display_none_is_silent() -> None:
    words = [word for word in SHORT if word != "display=plain"]
    result = typed("search", *words, "executor=inline", "display=none", "--json")
    assert result.stderr == ""


def test_a_failed_trial_is_told_in_a_line() -> None:
    words = [*QUICK, "executor=inline", "budget.evaluations=1"]
    words += ["training.lr0=1e12", "training.batch_size=16"]
    errors = typed("search", *words).stderr
    assert re.search(r"Trial 0 failed after [\d.]+ s: diverged, .*nan.*It ranks last", errors)
