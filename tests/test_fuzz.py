"""The short form of experiments/fuzz.py: nonsense is accepted or refused, with a message."""

import importlib
import random
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import REPOSITORY
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.errors import SpaceError
from evonas.space.check import check_space
from evonas.space.document import document_of
from evonas.space.load import space_of

many = settings(deadline=None, derandomize=True, database=None, max_examples=40)


@pytest.fixture(scope="module")
def fuzz() -> Iterator[Any]:
    """The script as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(REPOSITORY / "experiments")
        yield importlib.import_module("fuzz")


@pytest.mark.parametrize("kind", ["words", "space"])
@many
@given(seed=st.integers(0, 2**32))
def test_whatever_is_written_is_accepted_or_refused(fuzz: Any, kind: str, seed: int) -> None:
    make, checked = fuzz.KINDS[kind]
    case = make(random.Random(seed))
    result, told = fuzz.verdict(case, checked)
    assert result in ("accepted", "refused"), f"{told}\n{case!a}"


@many
@given(key=st.integers(0), value=st.text() | st.floats().map(str) | st.integers().map(str))
def test_any_text_for_any_setting_is_accepted_or_refused(fuzz: Any, key: int, value: str) -> None:
    words = ["space=nano", "evaluator=python", "evaluator.function=math:sqrt", "objectives=y"]
    words.append(f"{fuzz.KEYS[key % len(fuzz.KEYS)]}={value}")
    result, told = fuzz.verdict(words, fuzz.check_words)
    assert result in ("accepted", "refused"), f"{told}\n{words!a}"


def test_a_case_that_never_ends_and_one_that_breaks_are_named(
    fuzz: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_: Any) -> None:
        while True:
            pass

    monkeypatch.setattr(fuzz, "PATIENCE_S", 1)
    assert fuzz.verdict("case", never)[0] == "hang"
    assert fuzz.verdict("case", lambda _: 1 / 0)[0] == "traceback"
    assert fuzz.verdict("case", lambda _: None) == ("accepted", "")


def test_an_operation_that_is_no_word_is_told(fuzz: Any) -> None:
    (shipped,) = [each for each in fuzz.SHIPPED if each["title"].startswith("Twenty-one")]
    stage = {**shipped["network"]["stages"][0], "operation": ["conv"]}
    space = {**shipped, "network": {**shipped["network"], "stages": [stage]}}
    with pytest.raises(SpaceError, match=r"network.stages.0.operation: There is no operation"):
        check_space(space_of(document_of(space, "odd")))


@pytest.mark.parametrize("key", ["training.freeze.x", "executor.gpus_per_trial.auto", "full.phi.x"])
def test_a_key_below_a_value_is_told_and_the_reading_ends(fuzz: Any, key: str) -> None:
    words = ["space=nano", f"{key}=1"]
    assert fuzz.verdict(words, fuzz.check_words) == ("refused", "")


@pytest.mark.parametrize("part", ["stem", "head"])
def test_channels_of_a_stem_or_head_that_are_missing_are_told(fuzz: Any, part: str) -> None:
    (shipped,) = [each for each in fuzz.SHIPPED if each["title"].startswith("Twenty-one")]
    rest = {key: own for key, own in shipped["network"][part].items() if key != "channels"}
    space = {**shipped, "network": {**shipped["network"], part: rest}}
    with pytest.raises(SpaceError, match=rf"network.{part}: (the key channels is missing|write)"):
        check_space(space_of(document_of(space, "odd")))
