"""Which trainings are the same."""

from pathlib import Path

import pytest
from conftest import QUICK

from evonas.driver.preparation import check, set_up
from evonas.settings import Words

PLAIN, WEIGHTED = (f"data.class_weights={weights}" for weights in ("none", "balanced"))


def key(*words: str) -> str:
    checked = check(Words([*QUICK, "objectives=accuracy,macs", *words]))
    evaluator = set_up(checked, Path("none"), checked.facts).evaluator
    design = checked.space.decode([gene.default_number for gene in checked.space.genes])
    return evaluator.training_key(design)


@pytest.mark.parametrize("word", ["training.log=csv", "training.compile=true", PLAIN])
def test_how_it_is_computed_and_told_makes_no_difference(word: str) -> None:
    assert key(word) == key()


@pytest.mark.parametrize(
    "word", ["training.amp=on", "training.epochs=2", "data.subset=150", WEIGHTED]
)
def test_what_it_computes_does(word: str) -> None:
    assert key(word) != key()
