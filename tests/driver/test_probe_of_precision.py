"""Whether trainings compute in bfloat16: decided once for a family, and kept."""

from pathlib import Path

import pytest
from conftest import QUICK

from evonas.driver import resume, search
from evonas.driver.precision_decisions import FACT, Precision
from evonas.driver.preparation import check, set_up
from evonas.evaluation.evaluator import Evaluator
from evonas.runs.ledger import Ledger
from evonas.runs.run_folder import IN_MEMORY
from evonas.settings import Words
from evonas.training import precision
from evonas.trial import Assignment, Trial

WORDS = [*QUICK, "executor=inline", "display=none", "objectives=accuracy,macs", "data.subset=100"]
FAMILIES = {"plain on cpu", "depthwise on cpu"}


def evaluator_and_trial(*words: str) -> tuple[Evaluator, Trial]:
    checked = check(Words([*WORDS, *words]))
    chromosome = [gene.default_number for gene in checked.space.genes]
    trial = Trial(0, tuple(chromosome), checked.space.decode(chromosome), 5)
    return set_up(checked, Path("none"), checked.facts).evaluator, trial


def family_of(evaluator: Evaluator, trial: Trial) -> str | None:
    bench = evaluator.bench(trial.blueprint)
    assert bench is not None
    return bench.precision_family()


@pytest.fixture
def worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "LONGER", 0)
    monkeypatch.setattr(precision, "LEAST_MACS", 0)


def test_a_short_training_is_not_worth_a_probe() -> None:
    evaluator, trial = evaluator_and_trial()
    assert family_of(evaluator, trial) is None
    long = evaluator_and_trial("training.epochs=100000", "measure.scale=proxy")[0]
    assert family_of(long, trial) == "plain on cpu"


def test_a_search_decides_once_and_a_resume_keeps_to_it(worth_it: None) -> None:
    run = search([*WORDS, "budget.evaluations=2", "run.name=probed"])
    assert set() < run.facts[FACT].keys() <= FAMILIES
    ledger = Ledger.open(run.folder / "run.db")
    ledger.write_meta({FACT: dict.fromkeys(FAMILIES, True) | {"other": False}})
    ledger.close()
    again = resume(run.folder, ["budget.evaluations=+1"])
    assert again.facts[FACT] == dict.fromkeys(FAMILIES, True) | {"other": False}


def test_a_decision_on_record_is_taken_without_a_probe_and_a_new_one_is_put_there(
    worth_it: None,
) -> None:
    evaluator, trial = evaluator_and_trial()
    family = family_of(evaluator, trial)
    ledger = Ledger.create(IN_MEMORY, {FACT: {family: True}})
    assert Precision(evaluator, ledger).bfloat16(trial) is True
    ledger.write_meta({FACT: {}})
    decision = Precision(evaluator, ledger).bfloat16(trial)
    assert ledger.meta()[FACT] == {family: decision}
    ledger.close()


@pytest.mark.parametrize("word", ["training.amp=off", "training.amp=on", "run.deterministic=true"])
def test_nothing_is_left_to_decide(worth_it: None, word: str) -> None:
    evaluator, trial = evaluator_and_trial(word)
    assert family_of(evaluator, trial) is None


def test_a_training_goes_by_the_decision_where_it_is_left_open(working_folder: Path) -> None:
    evaluator, trial = evaluator_and_trial()
    usual, fast = evaluator(Assignment(trial)), evaluator(Assignment(trial, bfloat16=True))
    assert usual.curve != fast.curve
    fixed, _ = evaluator_and_trial("training.amp=off")
    assert fixed(Assignment(trial, bfloat16=True)).curve == usual.curve
    always, _ = evaluator_and_trial("training.amp=on")
    assert always(Assignment(trial)).curve == fast.curve
