"""An experiment of hours that is stopped goes on with the searches that it has kept."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY

WORDS = ("space=nano", "data=digits", "data.subset=200", "objectives=accuracy", "training.epochs=1")


@pytest.fixture
def trainings() -> Iterator[Any]:
    """What the scripts share, as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY / "experiments")
        yield importlib.import_module("trainings")


def test_a_search_that_was_kept_is_not_made_again(
    trainings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[str, ...]] = []
    search = trainings.search
    monkeypatch.setattr(
        trainings, "search", lambda words: made.append(tuple(words)) or search(words)
    )
    keep = tmp_path / "kept"
    first = trainings.found_by((*WORDS, "budget.evaluations=2"), keep)
    assert len(first.trainings) == 2
    assert all(training.accuracy > 0 for training in first.trainings)
    assert trainings.found_by((*WORDS, "budget.evaluations=2"), keep) == first
    assert len(made) == 1
    other = trainings.found_by((*WORDS, "budget.evaluations=3"), keep)
    assert (len(made), len(other.trainings)) == (2, 3)
    assert len(list(keep.iterdir())) == 2
