"""Unequal classes: what a training makes small."""

from functools import partial

import numpy as np
import pytest
import torch
from conftest import a_problem
from torch import nn
from torch.nn.functional import cross_entropy, one_hot

from evonas.data.dataset import Split
from evonas.settings import TrainingSettings
from evonas.tasks import TASKS
from evonas.tasks.classification.loss import balanced_weights, classification_loss, soft_loss
from evonas.training import evaluate, train
from evonas.training.acceleration import make_pass
from evonas.training.auxiliary import Auxiliary

CPU = torch.device("cpu")
MIDDLE = a_problem(2, (0.45,), (0.1,))
LOGITS = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 0, 0, 0, 1, 2])
WEIGHTS = torch.tensor([0.5, 2.0, 2.0])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_each_image_counts_as_much_as_its_class(smoothing: float) -> None:
    each = cross_entropy(LOGITS, LABELS, label_smoothing=smoothing, reduction="none")
    expected = (WEIGHTS[LABELS] * each).mean()
    torch.testing.assert_close(classification_loss(LOGITS, LABELS, smoothing, WEIGHTS), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_mixed_image_counts_for_both_classes_as_much_as_is_in_it(smoothing: float) -> None:
    shares = one_hot(LABELS, 3).float()
    mixed = shares.lerp(shares.roll(-1, 0), 0.3)
    parts = [
        classification_loss(LOGITS, labels, smoothing, WEIGHTS)
        for labels in (LABELS, LABELS.roll(-1))
    ]
    found = classification_loss(LOGITS, mixed, smoothing, WEIGHTS)
    torch.testing.assert_close(found, 0.7 * parts[0] + 0.3 * parts[1])


@pytest.mark.parametrize("targets", [LABELS, one_hot(LABELS, 3).float()])
def test_without_weights_the_loss_is_bit_for_bit_the_plain_one(targets: torch.Tensor) -> None:
    found = classification_loss(LOGITS, targets, 0.1)
    assert found.item() == cross_entropy(LOGITS, targets, label_smoothing=0.1).item()


@pytest.mark.parametrize("counts", [[3, 603], [1, 2, 3, 4], [5, 5], [7, 0, 2]])
def test_balanced_classes_weigh_the_same_together_and_an_image_1_on_average(
    counts: list[int],
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    weights = balanced_weights(labels, len(counts)).double().numpy()
    together = weights * counts
    there = np.asarray(counts) > 0
    assert together[there] == pytest.approx(sum(counts) / len(counts))
    assert (weights[~there] == 0).all()
    if there.all():
        assert weights[labels].mean() == pytest.approx(1)


def test_the_second_classifier_weighs_classes_as_the_network_does() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    images = torch.rand(6, 1, 2, 2)
    recipe = TrainingSettings()
    loss = partial(TASKS["classification"].loss, recipe=recipe, class_weights=WEIGHTS)
    alone = make_pass(network, loss, recipe, CPU, False)(images, LABELS)
    auxiliary = Auxiliary([nn.Identity()], 0.4)
    network.register_forward_hook(partial(auxiliary.listen, auxiliary.heads[0]))
    together = make_pass(network, loss, recipe, CPU, False, auxiliary)(images, LABELS)
    torch.testing.assert_close(together, 1.4 * alone)


def unequal() -> Split:
    """400 images of class 0 and 8 of class 1, a little brighter: hard to tell apart."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [400, 8])
    levels = rng.normal(110 + 12 * labels[:, None], 20, (408, 16)).clip(0, 255)
    return Split(levels.reshape(-1, 1, 4, 4).astype(np.uint8), labels)


@pytest.mark.parametrize("words", [{}, {"mixup": 1.0}, {"label_smoothing": 0.2}])
def test_a_rare_class_is_learnt_when_it_counts_as_much(words: dict[str, float]) -> None:
    found = {}
    for is_balanced in (False, True):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
        recipe = TrainingSettings(epochs=8, batch_size=34, lr0=0.05, auxiliary=0, **words)
        train(network, unequal(), MIDDLE, recipe, 0, is_balanced=is_balanced)
        found[is_balanced] = evaluate(network, unequal(), MIDDLE, recipe)
    assert found[False]["accuracy"] > 0.97
    assert found[False]["balanced_accuracy"] < 0.8
    assert found[True]["balanced_accuracy"] > 0.8


def test_a_student_loses_what_its_teacher_is_surer_of() -> None:
    """Two classes at temperature 2: p = (3/4, 1/4) is to be learnt, and q = (1/2, 1/2) is said."""
    taught = 2 * torch.tensor([[0.75, 0.25]]).log()
    divergence = 0.75 * np.log(0.75 / 0.5) + 0.25 * np.log(0.25 / 0.5)
    lost = soft_loss(torch.zeros(1, 2), taught, 2.0)
    torch.testing.assert_close(lost, torch.tensor(4 * divergence).float())
    both = soft_loss(torch.stack([torch.zeros(2), taught[0]]), taught.expand(2, 2), 2.0)
    torch.testing.assert_close(both, lost / 2)
