"""A short form of experiments/damage.py: no damage ends in a traceback or in a wrong result."""

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import REPOSITORY


@pytest.fixture(scope="module")
def damage() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY / "experiments")
        yield importlib.import_module("damage")


@pytest.mark.slow  # a search, an export, thirty damages
def test_damages_of_runs_and_models_are_told_or_do_no_harm(damage: Any) -> None:
    found = damage.damages(of_runs=20, of_models=10, seed=1)
    assert found["bad"] == []
    assert found["tried"] == found["right"] + found["told"] == 30
    assert found["runs"]["tried"] == 20
    assert found["right"] > 0
    assert found["told"] > 0


def test_the_worst_end_of_several_commands_counts(damage: Any) -> None:
    ends = [["right", "right"], ["told", "right"], ["right", "silent", "told"], ["traceback"] * 2]
    assert damage.tally({"ends": dict(enumerate(found))} for found in ends) == {
        **{"tried": 4, "right": 1, "told": 1, "traceback": 1, "silent": 1}
    }
