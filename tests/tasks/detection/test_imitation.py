"""What a detector learns from another one."""

import math

import pytest
import torch

from evonas.settings import TrainingSettings
from evonas.tasks import TASKS
from evonas.tasks.task import Outputs

TASK = TASKS["detection"]
GAINS = TrainingSettings(cls=1.0, dfl=2.0)
PRIORS = torch.tensor([[[4.0, 4, 8, 8], [12.0, 4, 8, 8]]])


def detector(probabilities: list[float], bins: list[list[float]]) -> Outputs:
    """One class at two points, and at each the same distribution of all four sides."""
    shares = torch.tensor(bins)[:, None].expand(2, 4, -1).reshape(1, 2, -1)
    logits = torch.tensor(probabilities).logit()[None, :, None]
    return torch.zeros(1, 2, 4), logits, shares.log(), PRIORS


def divergence(wanted: list[float], said: list[float]) -> float:
    return sum(p * math.log(p / q) for p, q in zip(wanted, said, strict=True))


TEACHER = detector([0.8, 0.2], [[0.75, 0.25], [0.5, 0.5]])
STUDENT = detector([0.5, 0.2], [[0.5, 0.5], [0.1, 0.9]])


def lost(student: Outputs, teacher: Outputs, temperature: float = 1.0) -> float:
    return TASK.imitation_loss(student, teacher, temperature, GAINS).item()


def test_points_count_as_the_teacher_is_sure_of_them() -> None:
    classes = divergence([0.8, 0.2], [0.5, 0.5])
    sides = divergence([0.75, 0.25], [0.5, 0.5]), divergence([0.5, 0.5], [0.1, 0.9])
    expected = 0.8 * (classes + 2 * sides[0]) + 0.2 * (0 + 2 * sides[1])
    assert lost(STUDENT, TEACHER) == pytest.approx(expected, rel=1e-5)


def test_the_temperature_softens_both_and_keeps_gradients_as_large() -> None:
    """Both points count alike here, whatever the teacher is divided by."""
    hard = detector([0.6, 0.6], [[0.5, 0.5]] * 2), detector([0.8, 0.8], [[0.7, 0.3]] * 2)
    soft = [tuple(output / 2 for output in each) for each in hard]
    assert lost(*hard, 2.0) == pytest.approx(4 * lost(*soft), rel=1e-5)


def test_distributions_over_other_bins_or_one_alone_are_not_compared() -> None:
    more = detector([0.5, 0.2], [[0.25] * 4] * 2)
    expected = 0.8 * divergence([0.8, 0.2], [0.5, 0.5])
    assert lost(more, TEACHER) == pytest.approx(expected, rel=1e-5)
    single = [
        (boxes, logits, bins[..., :4], priors) for boxes, logits, bins, priors in (STUDENT, TEACHER)
    ]
    assert lost(*single) == pytest.approx(expected, rel=1e-5)


def test_branches_learn_from_their_like() -> None:
    """Outputs of two branches: the one-to-one first, and behind the priors that of many."""
    two = (*STUDENT, *STUDENT[:3])
    plain = lost(STUDENT, TEACHER)
    assert lost(two, TEACHER) == pytest.approx(plain)  # the branch of many alone
    assert lost(STUDENT, (*STUDENT, *TEACHER[:3])) == pytest.approx(plain)
    assert lost(two, (*TEACHER, *TEACHER[:3])) == pytest.approx(2 * plain)


def test_detectors_of_other_levels_do_not_teach_each_other() -> None:
    other = (*TEACHER[:3], PRIORS * torch.tensor([1, 1, 2, 2]))
    assert TASK.unteachable(STUDENT, TEACHER) is None
    assert TASK.unteachable(STUDENT, other) == (
        "the teacher has levels of the strides 16, and the network of 8. Only detectors of the "
        "same levels teach each other"
    )
    fewer = tuple(output[:, :1] for output in TEACHER)
    assert TASK.unteachable(STUDENT, fewer) is not None
