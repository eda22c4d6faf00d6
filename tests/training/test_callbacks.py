import math

import pytest

from evonas.errors import TrialFailure
from evonas.training.callbacks import (
    check_finite,
    epochs_without_gain,
    is_stopped_early,
    plateau_factor,
)


@pytest.mark.parametrize(
    ("losses", "epochs"),
    [([], 0), ([3.0], 0), ([3, 2, 1], 0), ([3, 1, 2], 1), ([1, 1, 1], 2), ([2, 1, 3, 1], 2)],
)
def test_the_lowest_loss_is_that_long_ago(losses: list[float], epochs: int) -> None:
    assert epochs_without_gain(losses) == epochs


def test_patience_ends_a_training_after_so_many_epochs() -> None:
    losses = [3.0, 2.0, 2.5, 2.1, 2.2]
    assert [is_stopped_early(losses[:n], 2) for n in range(6)] == [False] * 4 + [True] * 2
    assert not is_stopped_early(losses, 4)
    assert not is_stopped_early(losses, None)


def test_each_plateau_lowers_the_rate_to_a_tenth_and_waits_anew() -> None:
    losses = [3.0, 2.0, 2.5, 2.1, 2.2, 2.2, 1.0, 1.1]
    factors = [plateau_factor(losses[:n], 2) for n in range(9)]
    assert factors == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.01])
    assert plateau_factor(losses, None) == 1


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_the_training(loss: float) -> None:
    check_finite(3.0, 4)
    with pytest.raises(TrialFailure, match=f"the training loss is {loss} in epoch 5") as failure:
        check_finite(loss, 4)
    assert failure.value.kind == "diverged"
