"""Which default boxes learn what, and what a training of SSD makes small."""

import math
from typing import Any

import pytest
import torch
from detectors import blueprint, ssd
from torch.nn import functional

from evonas.models import build
from evonas.networks import Scale
from evonas.settings import TrainingSettings
from evonas.tasks import TASKS
from evonas.tasks.detection.detection_loss import detection_loss
from evonas.tasks.detection.labels import Labels
from evonas.tasks.detection.ssd_loss import hard_negatives, matched, offsets

DETECTION = TASKS["detection"]
# Four squares of 10 px beside each other, and one of 20 px over the first two.
PRIORS = torch.tensor([[5.0, 5, 10, 10], [15, 5, 10, 10], [25, 5, 10, 10], [35, 5, 10, 10]])
PRIORS = torch.cat([PRIORS, torch.tensor([[10.0, 5, 20, 10]])])


def targets(*images: list[list[float]]) -> torch.Tensor:
    most = max(map(len, images))
    rows = [[*image, *[[-1.0, 0, 0, 0, 0]] * (most - len(image))] for image in images]
    return torch.tensor(rows)


def match(*images: list[list[float]]) -> list[list[int]]:
    found: list[list[int]] = matched(Labels.of(targets(*images)), PRIORS, len(images)).tolist()
    return found


def test_what_overlaps_by_half_learns_a_thing() -> None:
    # IoU 1 with the first, .5 with the wide one.
    assert match([[0, 0, 0, 10, 10]]) == [[0, -1, -1, -1, 0]]
    # .8 and 8 / 22.
    assert match([[0, 0, 0, 8, 10]]) == [[0, -1, -1, -1, -1]]


def test_each_thing_has_its_best_default_box_whatever_its_overlap() -> None:
    assert match([[0, 24, 0, 26, 2]]) == [[-1, -1, 0, -1, -1]]
    # The best of both is the first: it learns the one that it overlaps with more.
    assert match([[0, 0, 0, 3, 3], [1, 0, 0, 4, 4]])[0][0] == 1


def test_a_default_box_learns_the_thing_that_it_overlaps_with_most() -> None:
    # The wide one overlaps with both by half or more, and is the best of none.
    found = match([[0, 0, 0, 10, 10], [1, 8, 0, 20, 10]])
    assert found == [[0, 1, -1, -1, 1]]


def test_images_have_things_of_their_own() -> None:
    found = match([[0, 0, 0, 10, 10]], [], [[2, 20, 0, 30, 10]])
    assert found == [[0, -1, -1, -1, 0], [-1] * 5, [-1, -1, 1, -1, -1]]


def test_of_the_background_the_hardest_count_three_times_as_many() -> None:
    losses = torch.tensor([[9.0, 1, 2, 3, 4, 5], [1.0, 2, 3, 4, 5, 6]])
    is_something = torch.tensor([[True, *[False] * 5], [False] * 6])
    hard = hard_negatives(losses, is_something, 3)
    assert hard.tolist() == [[False, False, False, True, True, True], [False] * 6]
    assert hard_negatives(losses, is_something, 99)[0].sum() == 5


def said(shift: float, logits: list[list[float]]) -> tuple[torch.Tensor, ...]:
    """Default boxes moved to the right by a share of their width."""
    moved = PRIORS.clone()
    moved[:, 0] += shift * PRIORS[:, 2]
    boxes = torch.cat([moved[:, :2] - moved[:, 2:] / 2, moved[:, :2] + moved[:, 2:] / 2], 1)
    return boxes[None], torch.tensor([logits]), PRIORS[None]


def loss(outputs: tuple[torch.Tensor, ...], **recipe: Any) -> float:
    given = TrainingSettings(**{"cls": 1, "label_smoothing": 0, **recipe})
    return detection_loss(outputs, targets([[1, 24, 0, 26, 2]]), given).item()


def test_the_loss_is_that_of_classes_and_of_offsets_of_what_learns() -> None:
    # The third box alone learns class 1, the second of two; the three hardest others are counted.
    logits = [[3.0, 0, 0], [0, 0, 2], [0, 1, 2], [1, 0, 0], [0, 1, 0]]
    classes = functional.cross_entropy(
        torch.tensor(logits), torch.tensor([0, 0, 2, 0, 0]), reduction="none"
    )
    conf = classes[2] + classes[[1, 3, 4]].sum()
    # From (20, 0, 30, 10) to (24, 0, 26, 2): up by 4 / 10 / 0.1, sides by log(1 / 5) / 0.2.
    wide = high = abs(math.log(2 / 10) / 0.2) - 0.5
    location = (4 - 0.5) + wide + high
    found = said(0, logits)
    assert loss(found) == pytest.approx(conf.item() + location, rel=1e-5)
    assert loss(found, location=0) == pytest.approx(conf.item(), rel=1e-5)
    assert loss(found, cls=0, location=2) == pytest.approx(2 * location, rel=1e-5)
    assert loss(found, location=0, hard_negatives=0) == pytest.approx(classes[2].item(), rel=1e-5)


def test_small_offsets_count_as_their_squares() -> None:
    priors = PRIORS[:1]
    box = torch.tensor([[0.5, 0, 10.5, 10]])  # half an offset to the right
    assert offsets(box, priors)[0].tolist() == pytest.approx([0.5, 0, 0, 0], abs=1e-6)
    outputs = (box[None], torch.tensor([[[0.0, 50.0]]]), priors[None])
    recipe = TrainingSettings(label_smoothing=0)
    wanted = targets([[0, 0, 0, 10, 10]])
    assert detection_loss(outputs, wanted, recipe).item() == pytest.approx(0.125, abs=1e-5)


def test_images_without_things_cost_nothing() -> None:
    outputs = said(0, [[0.0, 5, 0]] * 5)
    assert detection_loss(outputs, targets([[-1, 0, 0, 0, 0]]), TrainingSettings()).item() == 0


def test_labels_count_by_their_weights() -> None:
    outputs = said(0.1, [[0.0, 1, 2]] * 5)
    light = torch.cat([targets([[1, 0, 0, 8, 10]]), torch.full((1, 1, 1), 0.5)], 2)
    full = torch.cat([targets([[1, 0, 0, 8, 10]]), torch.ones(1, 1, 1)], 2)
    recipe = TrainingSettings(cls=0)
    # The sum over a count of at least 1.
    halved, whole = (detection_loss(outputs, each, recipe).item() for each in (light, full))
    assert halved == pytest.approx(whole / 2)


@pytest.fixture(scope="module")
def trained() -> tuple[torch.Tensor, ...]:
    network = build(blueprint(ssd()), Scale("full", 48, classes=3), seed=0).train()
    images = torch.randn(4, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    boxes = targets([[0, 4, 4, 20, 20], [2, 10, 12, 44, 44]], [[1, 0, 0, 9, 9]], [], [])
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    losses = []
    for _ in range(12):
        loss = detection_loss(network(images), boxes, TrainingSettings(label_smoothing=0))
        optimizer.zero_grad()
        loss.backward()
        assert all(each.grad is not None for each in network.parameters())
        optimizer.step()
        losses.append(loss.detach())
    return tuple(losses)


def test_a_training_makes_it_small(trained: tuple[torch.Tensor, ...]) -> None:
    assert trained[-1] < 0.7 * trained[0]


def test_a_teacher_that_says_the_same_costs_nothing_and_another_does() -> None:
    one, other = said(0, [[0.0, 1, 2]] * 5), said(0.05, [[1.0, 1, 0]] * 5)
    recipe = TrainingSettings()
    assert DETECTION.unteachable(one, other) is None
    assert DETECTION.imitation_loss(one, one, 2.0, recipe).item() == pytest.approx(0, abs=1e-6)
    assert DETECTION.imitation_loss(one, other, 2.0, recipe).item() > 0.1
    distances = (torch.zeros(1, 5, 4), torch.zeros(1, 5, 2), torch.zeros(1, 5, 4), PRIORS[None])
    told = DETECTION.unteachable(one, distances)
    assert told is not None
    assert "a head of another kind" in told
