"""What YOLOv2's head makes small: its six steps by hand."""

import math

import pytest
import torch
from anchored_outputs import CLASSES, outputs, still, target

from evonas.settings import TrainingSettings
from evonas.tasks.detection.detection_loss import detection_loss, terms
from evonas.tasks.detection.labels import Labels
from evonas.tasks.detection.yolov2_loss import box_errors, running_recall, squares

PLAIN = TrainingSettings(label_smoothing=0)
# Three times as wide as the anchor (8, 8), and half a stride to the left of it.
BOX = [1.0, 4, 16, 28, 24]


def parts(settling: float = 0.0, **words: float) -> list[tuple[dict[str, float], float]]:
    recipe = PLAIN.model_copy(update=words)
    own = terms(outputs(*still(), settling), target(BOX), recipe)
    return [({k: v.item() for k, v in each.sums.items()}, each.count.item()) for each in own]


def test_boxes_are_in_strides_and_errors_square() -> None:
    """Steps 1 and 5: centre (2.5, 2.5) against (2, 2.5), size (1, 1) against (3, 1)."""
    said, wanted = torch.tensor([[16.0, 16, 24, 24]]), torch.tensor([BOX[1:]])
    errors = box_errors(said, wanted, torch.tensor([8.0]))
    assert errors.tolist() == [0.5**2 + 2**2]
    ((sums, count), *_) = parts()
    assert (sums, count) == ({"coord_scale": (0.25 + 4) / 2}, 1)


def test_objectness_is_to_be_the_overlap_and_none_elsewhere() -> None:
    """Steps 2 and 3: IoU 1/3 at the point that learns; no other overlaps by more than .6."""
    (_, (sums, count), _) = parts()
    assert count == 32
    assert sums["object_scale"] == pytest.approx((0.5 - 1 / 3) ** 2 / 2)
    assert sums["noobject_scale"] == pytest.approx(31 * 0.25 / 2)


@pytest.mark.parametrize(("height", "counted"), [(10, 31), (9, 32)])
def test_a_point_that_overlaps_enough_is_not_told_that_there_is_nothing(
    height: float, counted: int
) -> None:
    """The other anchor's box in the cell is 16 high: IoU 10/16 or 9/16, around .6."""
    box = [1.0, 8, 20 - height / 2, 16, 20 + height / 2]
    _, own, _ = terms(outputs(*still(), 0.0), target(box), PLAIN)
    assert own.count.item() == counted
    assert own.sums["noobject_scale"].item() == pytest.approx((counted - 1) * 0.25 / 2)


def test_classes_exclude_each_other() -> None:
    (*_, (sums, count)) = parts()
    assert (sums, count) == ({"class_scale": pytest.approx(math.log(CLASSES))}, 1)
    (*_, (smooth, _)) = parts(label_smoothing=0.3)
    assert smooth["class_scale"] == pytest.approx(math.log(CLASSES))  # all are alike here


def test_while_it_settles_points_without_a_box_learn_their_anchor() -> None:
    """Step 4: all points count; those that say their anchor have no error."""
    ((sums, count), *_) = parts(settling=1.0)
    assert (sums["coord_scale"], count) == ((0.25 + 4) / 2, 32)
    offsets, objectness, logits = still()
    moved = offsets.detach().clone()
    moved[0, 0, 2] = math.log(2)  # an idle one, twice as wide as its anchor
    for settling, expected in ((1.0, (0.25 + 4 + 1) / 2), (0.0, (0.25 + 4) / 2)):
        own, *_ = terms(outputs(moved, objectness, logits, settling), target(BOX), PLAIN)
        assert own.sums["coord_scale"].item() == pytest.approx(expected)


def test_the_loss_is_the_sum_of_means_by_their_weights() -> None:
    boxes, there, nothing = 4.25 / 2, (0.5 - 1 / 3) ** 2 / 2 / 32, 31 * 0.25 / 2 / 32
    for words in ({}, {"coord_scale": 2.0, "object_scale": 3.0, "noobject_scale": 0.5}):
        recipe = PLAIN.model_copy(update=words)
        expected = recipe.coord_scale * boxes + recipe.object_scale * there
        expected += recipe.noobject_scale * nothing + recipe.class_scale * math.log(CLASSES)
        loss = detection_loss(outputs(*still(), 0.0), target(BOX), recipe)
        assert loss.item() == pytest.approx(expected)


def test_recall_counts_boxes_that_are_seen() -> None:
    """Step 6: the IoU above .5 and the objectness above .3, of all boxes."""
    exact, apart = [1.0, 8, 16, 16, 24], [0.0, 24, 0, 32, 32]
    offsets, objectness, logits = still()
    labels = Labels.of(target(exact, apart))
    own = outputs(offsets, objectness, logits, 0.0)
    assert running_recall(own, labels).tolist() == [1, 2]
    unsure = objectness.detach() - 1  # a sigmoid of .27
    own = outputs(offsets, unsure, logits, 0.0)
    assert running_recall(own, labels).tolist() == [0, 2]


# The table of the sources: pairs of sizes of equal ratio, squares of their errors and of roots.
ROOTS = (
    *((0.0300, 0.020, 9.99e-05, 0.001), (0.0330, 0.022, 0.00012, 0.0011)),
    *((0.0693, 0.046, 0.000533, 0.00233), (0.2148, 0.143, 0.00512, 0.00723)),
    *((0.8808, 0.587, 0.0862, 0.0296), (4.4920, 2.994, 2.2421, 0.1512)),
)


@pytest.mark.parametrize(("size", "wanted", "square", "root"), ROOTS)
def test_roots_let_small_boxes_count(
    size: float, wanted: float, square: float, root: float
) -> None:
    """To what the sources' rounding leaves of two digits."""
    sizes = torch.tensor([size]), torch.tensor([wanted])
    assert squares(*sizes).item() == pytest.approx(square, rel=0.03)
    assert squares(*sizes, of_roots=True).item() == pytest.approx(root, rel=0.03)


def test_roots_of_sizes_are_an_option() -> None:
    ((sums, _), *_) = parts(root_sizes=True)
    assert sums["coord_scale"] == pytest.approx((0.25 + (1 - math.sqrt(3)) ** 2) / 2)


def test_it_falls_as_it_is_followed_and_ignores_what_is_no_box() -> None:
    raw = still()
    boxes = target([1.0, 4, 4, 28, 20], [0, 2, 18, 12, 30], [-1, 0, 0, 0, 0])
    step = torch.optim.Adam(raw, 0.2)
    losses = []
    for _ in range(60):
        step.zero_grad()
        loss = detection_loss(outputs(*raw, 0.0), boxes, PLAIN)
        loss.backward()  # type: ignore[no-untyped-call]
        step.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


def test_images_without_boxes_teach_the_background_alone() -> None:
    raw = still()
    loss = detection_loss(outputs(*raw, 0.0), target([-1.0, 0, 0, 0, 0]), PLAIN)
    assert loss.item() == pytest.approx(0.25 / 2)
    offsets, _, logits = torch.autograd.grad(loss, raw)
    assert not offsets.any()
    assert not logits.any()
