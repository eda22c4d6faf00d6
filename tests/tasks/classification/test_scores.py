"""How a network is scored that classifies."""

import numpy as np
import pytest
import torch
from conftest import a_problem

from evonas.settings import TrainingSettings
from evonas.tasks import TASKS

PLAIN = TrainingSettings()


def scored(logits: torch.Tensor, labels: list[int]) -> dict[str, float]:
    """In batches of 256."""
    problem = a_problem(logits.shape[1], (0.0,), (1.0,))
    pairs = zip(logits.split(256), torch.tensor(labels).split(256), strict=True)
    return TASKS["classification"].scores((((part,), own) for part, own in pairs), problem, PLAIN)


@pytest.mark.parametrize(
    ("counts", "balanced"), [([603, 3], 0.5), ([10, 10], 0.5), ([90, 5, 5], 1 / 3)]
)
def test_always_the_most_frequent_class_has_the_balanced_accuracy_of_chance(
    counts: list[int], balanced: float
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts).tolist()
    logits = torch.zeros(len(labels), len(counts))
    logits[:, 0] = 1
    found = scored(logits, labels)
    assert found["accuracy"] == counts[0] / sum(counts)
    assert found["balanced_accuracy"] == pytest.approx(balanced)


def test_classes_without_images_do_not_count_in_balanced_accuracy() -> None:
    assert scored(torch.eye(4)[[0, 0, 2]], [0, 0, 2])["balanced_accuracy"] == 1
    assert scored(torch.eye(4)[[0, 3, 2]], [0, 0, 2])["balanced_accuracy"] == 0.75


@pytest.mark.parametrize(("label", "expected"), [(0, 1), (4, 1), (5, 0), (9, 0)])
def test_the_five_most_likely_are_five_also_among_equals(label: int, expected: float) -> None:
    assert scored(torch.zeros(1, 10), [label])["top5_accuracy"] == expected
    falling = torch.arange(10.0).flip(0)[None]
    assert scored(falling, [label])["top5_accuracy"] == expected


def test_scores_of_many_batches_are_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 12, 1000), rng.normal(size=(1000, 12)).astype(np.float32)
    found = scored(torch.from_numpy(logits), labels.tolist())
    order = logits.argsort(1)[:, ::-1]
    right = order[:, 0] == labels
    by_class = [right[labels == label].mean() for label in range(12)]
    assert found["accuracy"] == right.mean()
    assert found["balanced_accuracy"] == pytest.approx(np.mean(by_class))
    assert found["top5_accuracy"] == (order[:, :5] == labels[:, None]).any(1).mean()
