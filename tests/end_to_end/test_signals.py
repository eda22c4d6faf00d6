"""The short form of experiments/signals.py: a few interrupts for each executor."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY


@pytest.fixture(scope="module")
def signals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The script as a module, and the function of its searches where this process finds it."""
    folder = tmp_path_factory.mktemp("weighing")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY / "experiments")
        patch.syspath_prepend(folder)
        module = importlib.import_module("signals")
        Path(folder / "weighing.py").write_text(module.FUNCTION)
        patch.setenv("WEIGHED", str(folder / "weighed"))
        yield module


@pytest.mark.slow
@pytest.mark.parametrize(
    ("executor", "number"),
    [
        ("inline", 0),
        ("inline", 4),
        ("local", 1),
        ("local", 3),
        pytest.param("ray", 1, marks=pytest.mark.ray),
        pytest.param("ray", 6, marks=pytest.mark.ray),
        pytest.param("own", 2, marks=pytest.mark.ray),
    ],
)
def test_an_interrupted_search_ends_cleanly_and_loses_nothing(
    signals: Any, executor: str, number: int
) -> None:
    result = signals.case(executor, number, 5.0)
    assert result["clean"], json.dumps(result)
    assert (result["left_over"], result["lost"], result["repeated"]) == (0, 0, 0), result
