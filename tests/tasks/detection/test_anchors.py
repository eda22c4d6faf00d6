"""Which points of heads with anchors learn which box."""

import torch
from anchored_outputs import outputs, point, still, target

from evonas.tasks.detection.anchors import AnchorPoints, learnt, overlaps, shape_overlap
from evonas.tasks.detection.labels import Labels


def points() -> AnchorPoints:
    return AnchorPoints.of(outputs(*still()))


def of(*boxes: list[float], enough: float | None = None) -> list[tuple[int, int]]:
    """Pairs of a label and a point."""
    pairs = learnt(Labels.of(target(*boxes)), points(), enough)
    return sorted(zip(pairs.label.tolist(), pairs.point.tolist(), strict=True))


def test_a_box_is_learnt_in_the_cell_of_its_centre_by_the_anchor_of_its_shape() -> None:
    square, tall = [0.0, 9, 17, 16, 24], [0.0, 9, 1, 16, 15]
    assert of(square) == [(0, point(1, 2, 0))]
    assert of(tall) == [(0, point(1, 1, 1))]


def test_further_anchors_that_fit_learn_it_as_well() -> None:
    square = [0.0, 8, 16, 16, 24]  # 1 and 1/2 of the anchors
    assert of(square, enough=0.49) == [(0, point(1, 2, 0)), (0, point(1, 2, 1))]
    assert of(square, enough=0.5) == [(0, point(1, 2, 0))]
    large = [0.0, 0, 0, 32, 32]  # nothing fits: the best alone
    assert of(large, enough=0.9) == [(0, point(2, 2, 1))]


def test_a_point_that_two_boxes_claim_learns_the_one_that_fits_better() -> None:
    small, exact = [0.0, 10, 18, 14, 22], [1.0, 8, 16, 16, 24]
    assert of(small, exact) == [(1, point(1, 2, 0))]


def test_a_centre_beyond_the_image_counts_at_its_edge() -> None:
    assert of([0.0, 28, -40, 36, -30]) == [(0, point(3, 0, 0))]
    assert of([0.0, -9, 24, 1, 40]) == [(0, point(0, 3, 1))]


def test_images_without_boxes_teach_no_point() -> None:
    assert of([-1.0, 0, 0, 0, 0]) == []


def test_points_know_whether_they_overlap_with_a_box_of_their_image() -> None:
    """The square of the cell is the first anchor's box, and half of the second's."""
    labels = Labels.of(target([0.0, 8, 16, 16, 24]))
    above = overlaps(labels, points(), 0.49)
    assert above.nonzero()[:, 1].tolist() == [point(1, 2, 0), point(1, 2, 1)]
    assert overlaps(labels, points(), 0.5).sum() == 1


def test_shapes_overlap_as_boxes_in_one_corner() -> None:
    sizes = torch.tensor([[2.0, 2.0], [1.0, 8.0]])
    agreed = shape_overlap(sizes[:, None], torch.tensor([[2.0, 4.0]]))
    torch.testing.assert_close(agreed, torch.tensor([[0.5], [4 / 12]]))
