"""A tuning that was stopped goes on as if it had not been, and beyond its budget."""

import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import EVONAS
from small_model import made, model
from tunings import WORDS, score_by, settings_of, trials_of

from evonas.delivery.tune import TUNING, tune
from evonas.delivery.tuning.scored_training import CHECKPOINT
from evonas.errors import ExportError
from evonas.reports.tuning_lines import Tunings
from evonas.settings import TrainingSettings

__all__ = ["made", "model"]  # fixtures


def test_a_larger_budget_goes_on_from_what_was_written(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = score_by(monkeypatch, lambda training, _: 1 - training.weight_decay)
    words = ["tune.settings=weight_decay", "tune.seeds=1"]
    first = tune(model, [*words, "budget.evaluations=5"])
    assert first["written"]
    done = len(trained)
    again = tune(model, [*words, "budget.evaluations=5"])
    assert len(trained) == done
    assert trials_of(again) == trials_of(first)
    more = tune(model, [*words, "budget.evaluations=8"])
    assert trials_of(more)[:3] == trials_of(first)
    assert len(more["trials"]) == 6
    assert more["settings"]["weight_decay"][0] == TrainingSettings().weight_decay


def test_a_tuning_that_was_stopped_anywhere_ends_as_one_that_was_not(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*WORDS, "training.ema=0.5"]
    whole, stopped = (shutil.copytree(model, model.parent / name) for name in ("whole", "stopped"))
    wanted = tune(whole, words)

    class Stop(Exception):
        pass

    class Stopping(Tunings):
        def __init__(self, after: int) -> None:
            self.left = after

        def epoch(self, done: int) -> None:
            self.left -= 1
            if self.left == 0:
                raise Stop

    stops = 0
    while True:
        try:
            found = tune(stopped, words, display=Stopping(3))
            break
        except Stop:
            stops += 1
    assert stops > 1
    assert trials_of(found) == trials_of(wanted)
    for key in ("settings", "recipe_again", "best_again", "written"):
        assert found[key] == wanted[key]
    assert settings_of(stopped) == settings_of(whole)
    assert not (stopped / CHECKPOINT).exists()


@pytest.mark.slow
def test_a_tuning_that_is_killed_goes_on(model: Path) -> None:
    whole, killed = (shutil.copytree(model, model.parent / name) for name in ("whole", "killed"))
    words = [*WORDS, "training.epochs=4", "budget.evaluations=4"]
    wanted = tune(whole, words)
    _kill_after_an_epoch(killed, words, signal.SIGKILL)
    said = _kill_after_an_epoch(killed, words, signal.SIGINT)
    assert said.splitlines()[-1].startswith("Stopped. Finished epochs are kept. Go on by: evonas")
    found = tune(killed, words)
    assert trials_of(found) == trials_of(wanted)
    assert settings_of(killed) == settings_of(whole)


def _kill_after_an_epoch(folder: Path, words: Sequence[str], number: int) -> str:
    call = [str(EVONAS), "tune", str(folder), *words]
    checkpoint = folder / CHECKPOINT
    old = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    with subprocess.Popen(call, stderr=subprocess.PIPE, text=True) as process:
        while not checkpoint.exists() or checkpoint.stat().st_mtime_ns == old:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.send_signal(number)
        return process.communicate(timeout=60)[1]


def test_a_damaged_study_is_told(model: Path) -> None:
    (model / TUNING).write_bytes(b"no database" * 100)
    with pytest.raises(ExportError, match=r"tuning\.db is damaged. Remove it"):
        tune(model, WORDS)
