"""What experiments/same_results.py calls a difference, and what it calls another commit."""

import importlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY


@pytest.fixture(scope="module")
def experiments() -> Iterator[Any]:
    """Imports a script as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY / "experiments")
        yield importlib.import_module


def test_a_value_that_changed_is_named_by_its_place(experiments: Any) -> None:
    differences = experiments("same_results").differences
    before = [{"measures": {"accuracy": 0.5}, "seed": 1}, {"measures": {}, "seed": 2}]
    now = [{"measures": {"accuracy": 0.5}, "seed": 1}, {"measures": {}, "seed": 3}]
    assert list(differences(now, before)) == ["[1].seed: 2 became 3"]
    assert list(differences(now, now)) == []


def test_a_key_that_is_new_is_no_difference_but_a_row_is(experiments: Any) -> None:
    differences = experiments("same_results").differences
    assert list(differences([{"a": 1, "b": 2}], [{"a": 1}])) == []
    assert len(list(differences([1, 2], [1]))) == 1


@pytest.mark.slow  # a checkout and a start of Python
def test_another_commit_runs_its_code_and_leaves_nothing_behind(
    experiments: Any, tmp_path: Path
) -> None:
    checkouts = experiments("checkouts")
    with checkouts.checked_out("HEAD") as tree:
        where = "import evonas; print(evonas.__file__)"
        printed = checkouts.python_in(tree, tmp_path, "-c", where)
        assert Path(printed.strip()).is_relative_to(tree)
    listed = subprocess.run(
        ["git", "-C", str(REPOSITORY), "worktree", "list"], capture_output=True, text=True
    )
    assert str(tree) not in listed.stdout
