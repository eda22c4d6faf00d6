"""What YOLOv3's and YOLOv4's heads make small."""

import math

import pytest
import torch
from anchored_outputs import CLASSES, outputs, point, still, target

from evonas.settings import TrainingSettings
from evonas.tasks import TASKS
from evonas.tasks.detection.anchors import AnchorPoints
from evonas.tasks.detection.detection_loss import detection_loss, terms
from evonas.tasks.detection.overlap import OVERLAPS

TASK = TASKS["detection"]
PLAIN = TrainingSettings(label_smoothing=0)
BOX = [1.0, 8, 16, 16, 24]  # the first anchor, in the middle of its cell
LIKELY = point(1, 2, 0)
LOG2 = math.log(2)


def sums(recipe: TrainingSettings, *boxes: list[float]) -> dict[str, float]:
    (own,) = terms(outputs(*still()), target(*boxes), recipe)
    return {name: value.item() for name, value in own.sums.items()}


def test_the_parts_of_a_case_by_hand() -> None:
    """All are as likely as not: log 2 for each probability. One point learns, none is ignored."""
    parts = sums(PLAIN, BOX)
    assert parts["box"] == pytest.approx(0, abs=1e-6)
    assert parts["cls"] == pytest.approx(CLASSES * LOG2)
    assert parts["obj"] == pytest.approx(32 * LOG2)
    loss = detection_loss(outputs(*still()), target(BOX), PLAIN).item()
    assert loss == pytest.approx(0.5 * CLASSES * LOG2 + 32 * LOG2)


def test_a_point_that_overlaps_and_learns_nothing_is_ignored() -> None:
    """The other anchor's box in that cell overlaps by a half."""
    assert sums(PLAIN.model_copy(update={"ignore_iou": 0.49}), BOX)["obj"] == pytest.approx(
        31 * LOG2
    )


def test_several_anchors_learn_a_box() -> None:
    own = sums(PLAIN.model_copy(update={"anchor_iou": 0.49}), BOX)
    assert own["cls"] == pytest.approx(2 * CLASSES * LOG2)
    overlap = OVERLAPS["ciou"](torch.tensor([8.0, 12, 16, 28]), torch.tensor(BOX[1:]))
    assert own["box"] == pytest.approx(1 - overlap.item())


def test_smoothing_is_of_the_classes_alone() -> None:
    offsets, objectness, logits = still()
    smooth = TrainingSettings(label_smoothing=0.3)
    loss = detection_loss(outputs(offsets, objectness, logits), target(BOX), smooth)
    of_objectness, of_logits = torch.autograd.grad(loss, (objectness, logits))
    wanted = torch.tensor([0.1, 0.8, 0.1])
    torch.testing.assert_close(of_logits[0, LIKELY], 0.5 * (0.5 - wanted))
    assert of_objectness[0, LIKELY].item() == -0.5


def test_images_without_boxes_teach_the_background_alone() -> None:
    raw = still()
    loss = detection_loss(outputs(*raw), target([-1.0, 0, 0, 0, 0]), PLAIN)
    assert loss.item() == pytest.approx(32 * LOG2)
    offsets, objectness, logits = torch.autograd.grad(loss, raw)
    assert not offsets.any()
    assert not logits.any()
    assert (objectness > 0).all()


def test_a_label_counts_as_much_as_its_weight() -> None:
    weighted = torch.tensor([[[*BOX, 0.25]]])
    (own,) = terms(outputs(*still()), weighted, PLAIN)
    assert own.sums["cls"].item() == pytest.approx(0.25 * CLASSES * LOG2)
    assert own.count.item() == 0.25
    (objectness,) = torch.autograd.grad(own.sums["obj"], (raw := still())[1], allow_unused=True)
    assert objectness is None
    loss = detection_loss(outputs(*raw), weighted, PLAIN)
    (objectness,) = torch.autograd.grad(loss, raw[1])
    assert objectness[0, LIKELY].item() == pytest.approx(0.25)


@pytest.mark.parametrize("box_loss", OVERLAPS)
@pytest.mark.parametrize("anchor_iou", [None, 0.213])
def test_it_falls_as_it_is_followed(box_loss: str, anchor_iou: float | None) -> None:
    recipe = PLAIN.model_copy(update={"box_loss": box_loss, "anchor_iou": anchor_iou})
    raw = still()
    boxes = target([1.0, 4, 4, 28, 20], [0, 2, 18, 12, 30])
    step = torch.optim.Adam(raw, 0.2)
    losses = []
    for _ in range(40):
        step.zero_grad()
        loss = detection_loss(outputs(*raw), boxes, recipe)
        loss.backward()  # type: ignore[no-untyped-call]
        step.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
    found = AnchorPoints.of(outputs(*raw))
    assert found.objectness[0].topk(2).values.min() > 0


def test_boxes_without_an_area_have_finite_gradients() -> None:
    flat = target([0.0, 5, 5, 5, 5], [1, 3, 8, 30, 8], [2, 40, 40, 40, 40])
    for box_loss in OVERLAPS:
        raw = still()
        recipe = PLAIN.model_copy(update={"box_loss": box_loss})
        for gradient in torch.autograd.grad(detection_loss(outputs(*raw), flat, recipe), raw):
            assert gradient.isfinite().all()


def test_a_network_that_says_what_its_teacher_says_has_nothing_to_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    raw = [torch.randn(1, 32, size, generator=generator) for size in (4, 1, CLASSES)]
    for more in ((), (0.0,)):  # of both kinds
        taught = outputs(*raw, *more)
        assert TASK.unteachable(outputs(*still(), *more), taught) is None
        assert TASK.imitation_loss(taught, taught, 2.0, PLAIN).item() == pytest.approx(0, abs=1e-6)
        own = still()
        loss = TASK.imitation_loss(outputs(*own, *more), taught, 2.0, PLAIN)
        _, objectness, logits = torch.autograd.grad(loss, own, allow_unused=True)
        assert loss > 0
        assert objectness.any()
        assert logits.any()


def test_heads_of_different_kinds_do_not_teach_each_other() -> None:
    own, other = outputs(*still()), outputs(*still(), 0.0)
    assert TASK.unteachable(own, other) == (
        "the teacher has a head of another kind. Only detectors of like heads teach each other"
    )


def test_scores_are_those_of_the_deployed_network() -> None:
    from evonas.tasks.detection.head_outputs import head_of

    raw = still()
    for more, expected in (((), 0.25), ((0.0,), 0.5 / CLASSES)):
        own = outputs(*raw, *more)
        boxes, scores = head_of(own).decoded(own)
        assert boxes is own[0]
        torch.testing.assert_close(scores, torch.full((1, 32, CLASSES), expected))
