"""Of boxes around one thing one is left: as the plain loop would have it, and fast."""

import math

import pytest
import torch

from evonas.tasks.detection.overlap import OVERLAPS, Overlap, diou, iou
from evonas.tasks.detection.suppression import CANDIDATES, MOST, SUPPRESSIONS, found, greedy


def some(
    images: int, points: int, classes: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Boxes on a coarse grid, so that many are equal or just touch; scores from the best down."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.randint(0, 10, (images, points, 2), generator=generator).float()
    sides = torch.randint(1, 6, (images, points, 2), generator=generator).float()
    scores = torch.rand(images, points, generator=generator).sort(1, descending=True).values
    labels = torch.randint(0, classes, (images, points), generator=generator)
    return torch.cat([corners, corners + sides], 2), scores, labels


def plain_loop(
    boxes: torch.Tensor, classes: torch.Tensor, threshold: float, overlap: Overlap
) -> list[int]:
    """Greedy suppression as it is written in every textbook, of one image."""
    table = (overlap(boxes[:, None], boxes) > threshold) & (classes[:, None] == classes)
    suppresses = table.tolist()
    kept: list[int] = []
    for candidate in range(len(boxes)):
        if not any(suppresses[before][candidate] for before in kept):
            kept.append(candidate)
    return kept


@pytest.mark.parametrize("overlap", [iou, diou])
def test_a_thousand_random_images_are_suppressed_as_by_the_plain_loop(overlap: Overlap) -> None:
    boxes, scores, classes = some(1000, 40, 2, seed=0)
    for threshold in (0.3, 0.65):
        left = greedy(boxes, scores, classes, threshold, overlap)
        for image in range(1000):
            expected = plain_loop(boxes[image], classes[image], threshold, overlap)
            assert left[image].nonzero()[:, 0].tolist() == expected
            assert torch.equal(left[image, expected], scores[image, expected])


def test_blocks_do_not_change_what_is_kept() -> None:
    boxes, scores, classes = some(2, 700, 3, seed=1)
    left = greedy(boxes, scores, classes, 0.5, most=700)
    for image in range(2):
        expected = plain_loop(boxes[image], classes[image], 0.5, iou)
        assert left[image].nonzero()[:, 0].tolist() == expected


def test_boxes_and_scores_of_an_image_come_best_first_and_no_more_than_there_may_be() -> None:
    generator = torch.Generator().manual_seed(2)
    corners = 1000 * torch.rand(3, 900, 2, generator=generator)
    boxes = torch.cat([corners, corners + 1], 2)  # none meets another
    scores = torch.rand(3, 900, 2, generator=generator)
    own = found(boxes, scores, "nms", 0.65, 0.001)
    best = scores.flatten(1).topk(MOST).values
    torch.testing.assert_close(own.scores, best)
    assert own.boxes.shape == (3, MOST, 4)
    few = found(boxes, scores, "nms", 0.65, 0.999)
    for image in range(3):
        there = few.scores[image] > 0
        assert there.sum() == (scores[image] >= 0.999).sum()
    nothing = found(boxes, scores * 0, "nms", 0.65, 0.001)
    assert not (nothing.scores > 0).any()


@pytest.mark.parametrize("name", SUPPRESSIONS)
def test_no_boxes_no_points_and_no_images_are_no_special_cases(name: str) -> None:
    for images, points in ((2, 0), (0, 5), (2, 5)):
        own = found(torch.zeros(images, points, 4), torch.zeros(images, points, 3), name, 0.5, 0.1)
        assert len(own.scores) == images
        assert not (own.scores > 0).any()


def test_classes_do_not_suppress_each_other() -> None:
    boxes = torch.tensor([[[0.0, 0, 9, 9], [0, 0, 9, 9]]])
    scores = torch.tensor([[[0.9, 0.8], [0.7, 0.1]]])
    own = found(boxes, scores, "nms", 0.5, 0.05)
    assert own.classes[own.scores > 0].tolist() == [0, 1]
    unsuppressed = found(boxes, scores, "none", 0.5, 0.05)
    assert (unsuppressed.scores > 0).sum() == 4


def test_diou_keeps_a_neighbour_that_iou_suppresses() -> None:
    # Squares of side 4, apart by 1: IoU 12 / 20 = .6, DIoU .6 - 1 / (25 + 16) = .576.
    boxes = torch.tensor([[[0.0, 0, 4, 4], [1, 0, 5, 4]]])
    scores = torch.tensor([[[0.9], [0.8]]])
    assert (found(boxes, scores, "nms", 0.58, 0.1).scores > 0).sum() == 1
    assert (found(boxes, scores, "diou", 0.58, 0.1).scores > 0).sum() == 2


def test_soft_suppression_makes_neighbours_less_likely() -> None:
    # The second overlaps with the first by .6, the third with neither: .8 exp(-.36 / .5) = .389.
    boxes = torch.tensor([[[0.0, 0, 4, 4], [1, 0, 5, 4], [50, 50, 60, 60]]])
    scores = torch.tensor([[[0.9], [0.8], [0.5]]])
    own = found(boxes, scores, "soft", 0.65, 0.001)
    expected = [0.9, 0.5, 0.8 * math.exp(-0.36 / 0.5)]
    assert own.scores[0].tolist() == pytest.approx(expected)
    assert own.boxes[0, 1].tolist() == [50, 50, 60, 60]


def test_soft_suppression_goes_by_what_is_left_of_each_score() -> None:
    boxes, scores, classes = some(20, 30, 2, seed=3)
    left = SUPPRESSIONS["soft"](boxes, scores, classes, 0.5)
    for image in range(20):
        rest = dict(enumerate(scores[image].double().tolist()))
        while rest:
            best = max(rest, key=lambda n: rest[n])
            assert left[image, best].item() == pytest.approx(rest.pop(best), rel=1e-4)
            for other in rest:
                if classes[image, other] == classes[image, best]:
                    overlap = float(OVERLAPS["iou"](boxes[image, best], boxes[image, other]))
                    rest[other] *= math.exp(-(overlap**2) / 0.5)


def test_only_the_best_candidates_are_looked_at() -> None:
    boxes = torch.tensor([0.0, 0, 9, 9]).repeat(1, CANDIDATES + 5, 1)
    scores = torch.linspace(0.9, 0.1, CANDIDATES + 5)[None, :, None]
    own = found(boxes, scores, "none", 0.5, 0.01)
    assert own.scores.shape == (1, MOST)
