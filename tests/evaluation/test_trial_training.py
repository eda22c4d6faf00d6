"""The training of a trial: done, or taken over from a trial that had the same."""

from pathlib import Path

import pytest
import torch
from conftest import QUICK, a_network

from evonas.blueprint import Blueprint
from evonas.driver.preparation import check, set_up
from evonas.evaluation.kit import Kit
from evonas.evaluation.trial_training import Trained, trained
from evonas.exporters.file_names import WEIGHTS
from evonas.settings import Words
from evonas.trial import Assignment, SharedTraining, Trial

FIRST = Trial(0, (), Blueprint(a_network()), seed=3)
SIBLING = Trial(4, (), FIRST.blueprint, seed=99)


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    checked = check(Words([*QUICK, "objectives=accuracy,macs"]))
    return set_up(checked, tmp_path, checked.facts).evaluator.kit  # type: ignore[attr-defined,no-any-return]


def shared(first: Trained) -> Assignment:
    training = SharedTraining(0, FIRST.seed, 0, first.notes.weights_sha256, first.curve, 7.0)
    return Assignment(SIBLING, training=training)


def same(one: Trained, other: Trained) -> bool:
    images = torch.randn(5, 3 if one.network.plan.input_shape[0] == 3 else 1, 8, 8)  # type: ignore[union-attr,operator]
    with torch.no_grad():
        outputs = [each.network.eval()(images) for each in (one, other)]
    return torch.equal(*outputs) and one.scores == other.scores and one.curve == other.curve


def test_a_shared_training_is_taken_over_with_its_curve_and_its_seconds(kit: Kit) -> None:
    first = trained(kit, Assignment(FIRST))
    taken = trained(kit, shared(first))
    assert same(first, taken)
    assert taken.seconds == 7.0
    assert taken.notes.training_of == 0
    assert taken.notes.weights_sha256 == first.notes.weights_sha256
    assert (kit.trials / "4" / WEIGHTS).exists()


@pytest.mark.parametrize("is_there", [True, False])
def test_weights_that_are_damaged_or_gone_are_trained_anew_to_the_same(
    kit: Kit, is_there: bool
) -> None:
    first = trained(kit, Assignment(FIRST))
    file = kit.trials / "0" / WEIGHTS
    file.write_bytes(b"damaged") if is_there else file.unlink()
    again = trained(kit, shared(first))
    assert same(first, again)
    assert again.seconds != 7.0
    assert again.notes.damaged_weights == (0 if is_there else None)
