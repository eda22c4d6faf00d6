"""Which points learn which box, on cases that are worked out by hand.

An image of 32 px and a grid of 4 x 4 points with a stride of 8: their centres are at 4, 12, 20 and
28, and they are numbered row by row.
"""

import math

import pytest
import torch

from evonas.tasks.detection.assigners import ASSIGNERS, LEAST, ONE_TO_ONE, Pairs, place, tal
from evonas.tasks.detection.labels import Branch, Labels

A = [0.0, 0, 16, 16]  # around the points 0, 1, 4 and 5
B = [8.0, 0, 24, 16]  # around 1, 2, 5 and 6
TINY = [1.0, 1, 3, 3]  # around none; 0 is the nearest


def grid() -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")
    centres = torch.stack([x.flatten(), y.flatten()], 1) * 8 + 4.0
    return torch.cat([centres, torch.full((16, 2), 8.0)], 1)


def said(boxes: dict[int, list[float]], images: int = 1, logit: float = 0.0) -> Branch:
    """Of a network that is equally sure everywhere; elsewhere, its boxes are far away."""
    everywhere = torch.tensor([100.0, 100, 108, 108]).repeat(images, 16, 1)
    for point, box in boxes.items():
        everywhere[:, point] = torch.tensor(box)
    return Branch(
        everywhere, torch.full((images, 16, 2), logit), torch.zeros(images, 16, 4), grid()
    )


def labels(*boxes: list[float]) -> Labels:
    """All of one image, of class 1."""
    rows = [[1.0, *box] for box in boxes]
    return Labels.of(torch.tensor(rows).reshape(1, -1, 5))


def learnt(pairs: Pairs) -> dict[int, tuple[int, float]]:
    """Point to the number of its box and the quality."""
    numbers = (pairs.point, pairs.label, pairs.quality)
    rows = zip(*(values.tolist() for values in numbers), strict=True)
    return {point: (label, pytest.approx(quality, rel=1e-5)) for point, label, quality in rows}


# IoUs with A: 1, 1/2 (half of it), 1/4 and 1/4 (a quarter).
OF_A = {0: A, 1: [0.0, 0, 16, 8], 4: [0.0, 0, 8, 8], 5: [8.0, 8, 16, 16]}


def test_tal_takes_the_best_aligned_points_of_a_box() -> None:
    # s = 1/2 everywhere, so t is in proportion to IoU^6: the best point has the quality 1, the
    # others their share of that.
    pairs = tal(labels(A), said(OF_A))
    assert learnt(pairs) == {0: (0, 1.0), 1: (0, 1 / 2**6), 4: (0, 1 / 4**6), 5: (0, 1 / 4**6)}
    assert learnt(tal(labels(A), said(OF_A), top=2)) == {0: (0, 1.0), 1: (0, 1 / 64)}
    assert learnt(ONE_TO_ONE(labels(A), said(OF_A))) == {0: (0, 1.0)}


def test_tal_weighs_the_score_of_the_true_class() -> None:
    # Point 0 says A exactly, with s = 1/10; point 1 half of it, with s = 9/10. t is 0.1^0.5 = 0.316
    # and 0.9^0.5 / 2^6 = 0.0148: 0 leads, and the quality of 1 is 0.0148 / 0.316 = 3 / 64.
    branch = said({0: A, 1: [0.0, 0, 16, 8]})
    branch.logits[0, 0, 1], branch.logits[0, 1, 1] = -math.log(9), math.log(9)
    assert learnt(tal(labels(A), branch, top=2)) == {0: (0, 1.0), 1: (0, 3 / 64)}


def test_a_point_that_two_boxes_claim_learns_the_one_it_overlaps_with_most() -> None:
    # Points 1 and 5 lie in both. Point 1 says B (IoU with A: 8 x 16 of 24 x 16 = 1/3), 5 says A.
    pairs = tal(labels(A, B), said({1: B, 5: A}))
    found = learnt(pairs)
    assert found[1] == (1, 1.0)
    assert found[5] == (0, 1.0)
    assert set(found) == {0, 1, 2, 4, 5, 6}  # the other points are sure of nothing: quality 0


@pytest.mark.parametrize("name", ASSIGNERS)
def test_a_box_that_no_point_lies_in_takes_the_nearest(name: str) -> None:
    far = [60.0, 60, 61.5, 61.5]  # its overlap with what the point says is none
    assign = ASSIGNERS[name]
    pairs = assign(labels(far, A), said(OF_A))
    of_far = pairs.label == 0
    assert pairs.point[of_far].tolist() == [15]
    assert pairs.quality[of_far].item() == pytest.approx(1 if name == "centre" else LEAST)


def test_the_nearest_point_is_left_to_a_box_that_has_no_other() -> None:
    found = learnt(tal(labels(TINY, A), said(OF_A)))
    assert found[0][0] == 0
    assert {label for label, _ in (found[point] for point in (1, 4, 5))} == {1}


def test_simota_lets_a_box_have_as_many_points_as_its_overlaps_add_up_to() -> None:
    # 1 + 1/2 + 1/4 + 1/4 = 2: two points, those of least cost, which are equally sure of classes.
    assert learnt(ASSIGNERS["simota"](labels(A), said(OF_A))) == {0: (0, 1.0), 1: (0, 0.5)}
    # Nothing overlaps: one point all the same, and it is in the box rather than only near it.
    (point,) = ASSIGNERS["simota"](labels(A), said({})).point.tolist()
    assert point in OF_A


def test_simota_weighs_classes_against_overlap() -> None:
    # Cost of point 0: BCE of (0, logit) + 3 x -log 1, of point 1: log 2 + log 2 + 3 log 2. With
    # the logit -9 of the true class, 0 costs log 2 + 9.0001, and 1, with 5 log 2 = 3.5, is cheaper.
    branch = said({0: A, 1: [0.0, 0, 16, 8]})
    branch.logits[0, 0, 1] = -9
    assert learnt(ASSIGNERS["simota"](labels(A), branch)) == {1: (0, 0.5)}


def test_centre_takes_the_middle_of_a_box_and_the_smaller_box_first() -> None:
    # Within 12 px of (16, 16) and not at 12: the four in the middle; 5 is also in the small box.
    whole, small = [0.0, 0, 32, 32], [8.0, 8, 16, 16]
    found = learnt(ASSIGNERS["centre"](labels(whole, small), said({})))
    assert found == {5: (1, 1.0), 6: (0, 1.0), 9: (0, 1.0), 10: (0, 1.0)}


@pytest.mark.parametrize("name", ASSIGNERS)
def test_images_do_not_disturb_each_other(name: str) -> None:
    rows = torch.tensor([[[1.0, *A], [0.0, *B]], [[1.0, *B], [-1.0, 0, 0, 0, 0]]])
    branch = said({1: B, 5: A}, images=2)
    both, of_both = ASSIGNERS[name](Labels.of(rows), branch), Labels.of(rows)
    second = ASSIGNERS[name](Labels.of(rows[1:]), said({1: B, 5: A}))
    is_second = of_both.image[both.label] == 1
    assert torch.equal(both.point[is_second], second.point)
    assert torch.equal(both.quality[is_second], second.quality)


@pytest.mark.parametrize("name", ASSIGNERS)
def test_no_boxes_are_no_pairs(name: str) -> None:
    assert len(ASSIGNERS[name](Labels.of(torch.full((2, 8, 5), -1.0)), said({}, images=2))) == 0


def test_places_are_within_groups() -> None:
    groups, values = torch.randint(5, (200,)), torch.randint(9, (200,)).float()
    for group in range(5):
        own = groups == group
        order = values[own].argsort(descending=True, stable=True)
        assert torch.equal(place(groups, values)[own][order], torch.arange(int(own.sum())))
