"""How a detector is scored: over batches, and whatever its recipe is."""

import math

import pytest
import torch

from evonas.networks.problem import Problem
from evonas.settings import TrainingSettings
from evonas.tasks import TASKS
from evonas.tasks.detection.detection_loss import detection_loss
from evonas.tasks.task import LOSS, Outputs

TASK = TASKS["detection"]
PROBLEM = Problem("detection", 3, ("cat", "dog"), (0.0,) * 3, (1.0,) * 3)
PLAIN = TrainingSettings(label_smoothing=0)
TARGETS = torch.tensor(
    [
        [[0.0, 4, 4, 28, 28], [1, 40, 8, 60, 30]],
        [[0.0, 8, 8, 40, 40], [-1, 0, 0, 0, 0]],
        [[-1.0, 0, 0, 0, 0], [-1, 0, 0, 0, 0]],
    ]
)


def outputs() -> Outputs:
    """Of a network with a point for each place of a label, which finds all but the dog."""
    boxes = TARGETS[..., 1:].clone()
    logits = torch.full((3, 2, 2), -9.0)
    logits[0, 0, 0] = logits[1, 0, 0] = 3
    distances = torch.randn(3, 2, 32, generator=torch.Generator().manual_seed(0))
    priors = torch.tensor([[[16.0, 16, 8, 8], [50, 20, 8, 8]]])
    return boxes, logits, distances, priors


def scored(**words: object) -> dict[str, float]:
    recipe = TrainingSettings.model_validate(words)
    return TASK.scores([(outputs(), TARGETS)], PROBLEM, recipe)


def test_what_is_found_counts_by_class() -> None:
    scores = scored()
    assert scores["map50"] == pytest.approx(0.5)
    assert (scores["precision"], scores["recall"]) == pytest.approx((0.5, 0.5))
    cat, dog = TASK.details([(outputs(), TARGETS)], PROBLEM, PLAIN)["table"]
    assert (cat["class"], cat["boxes"], cat["AP50"]) == ("cat", 2, pytest.approx(1))
    assert (dog["class"], dog["boxes"], dog["AP50"]) == ("dog", 1, 0)


def test_the_loss_is_the_same_whatever_gains_and_assigners_a_recipe_has() -> None:
    expected = detection_loss(outputs(), TARGETS, PLAIN).item()
    assert scored(box=1, cls=9, assigner="simota", label_smoothing=0.3)[LOSS] == expected


def test_the_parts_of_a_batch_are_scored_as_the_whole() -> None:
    whole = scored()
    *own, priors = outputs()
    parts = [
        ((*(output[n : n + 1] for output in own), priors), TARGETS[n : n + 1]) for n in range(3)
    ]
    assert TASK.scores(parts, PROBLEM, PLAIN) == pytest.approx(whole)


def test_a_one_to_one_network_is_scored_by_its_own_branch() -> None:
    own = outputs()
    twisted = tuple(output.flip(0) for output in own[:3])
    scores = TASK.scores([((*own, *twisted), TARGETS)], PROBLEM, PLAIN)
    assert scores["map50"] == scored()["map50"]
    assert scores[LOSS] > scored()[LOSS]


def test_a_value_that_is_not_finite_is_no_score() -> None:
    broken = tuple(output.clone() for output in outputs())
    broken[0][2, 1, 3] = math.inf
    scores = TASK.scores([(broken, TARGETS)], PROBLEM, PLAIN)
    assert math.isnan(scores[LOSS])
    assert scores["map50"] == 0
