"""All designs of a front, a model folder each."""

import json
from pathlib import Path

import pytest
from conftest import QUICK, typed

from evonas import load_run, search


@pytest.mark.slow
def test_each_design_of_the_front_has_its_folder(working_folder: Path) -> None:
    words = [*QUICK, "executor=inline", "budget.evaluations=4", "run.name=few"]
    search([*words, "objectives=parameters,macs", "full.resolution_px=16"])
    run = load_run(Path("runs/few"))
    result = typed("export", "few", "--to", "models", "--all-front", "full.width=0.5", "--json")
    assert result.returncode == 0, result.stderr
    exported = json.loads(result.stdout)
    numbers = [trial.number for trial, _ in run.front]
    assert [model["number"] for model in exported["models"]] == numbers
    folders = sorted(Path("models").iterdir())
    assert folders == sorted(Path(f"models/trial-{number}") for number in numbers)
    assert all(Path(model["folder"], "model.py").is_file() for model in exported["models"])
    assert all(model["enlarged"] == {"width": 0.5} for model in exported["models"])
    again = typed("export", "few", "--to", "models", "--all-front")
    assert again.returncode == 2
    assert "not empty" in again.stderr
    both = typed("export", "few", "--to", "more", "--all-front", "--pick", "best")
    assert both.returncode == 2
    assert "Leave --pick and --preset out" in both.stderr
    shown = typed("export", "few", "--to", "more", "--all-front", "full.width=0.5").stdout
    assert "which measured this: width 0.5" in shown
