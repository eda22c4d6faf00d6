"""Anchors that fit the user's boxes."""

from pathlib import Path

import numpy as np

from evonas.tasks.detection.anchor_fitting import (
    fitted_anchors,
    mean_best_overlap,
    shape_overlaps,
    sizes_of,
)

PUBLISHED = (  # of YOLOv3, at 416 px
    *((10, 13), (16, 30), (33, 23), (30, 61), (62, 45), (59, 119)),
    *((116, 90), (156, 198), (373, 326)),
)
# Widths and heights of the boxes in the 205 training images of BCCD, in px of a square of 416 px.
BLOOD_CELLS = Path(__file__).parent / "blood_cells.npy"


def some_sizes(centres: list[tuple[float, float]], each: int = 50) -> np.ndarray:
    """Boxes around some shapes, up to 5 % larger or smaller."""
    generator = np.random.default_rng(0)
    noise = generator.uniform(0.95, 1.05, (len(centres), each, 2))
    return (np.array(centres)[:, None] * noise).reshape(-1, 2)


def test_shapes_that_there_are_are_found_the_smallest_first() -> None:
    centres = [(60.0, 30.0), (8.0, 8.0), (20.0, 50.0), (100.0, 90.0)]
    sizes = some_sizes(centres)
    anchors = fitted_anchors(sizes, 4)
    np.testing.assert_allclose(anchors, [centres[1], centres[2], centres[0], centres[3]], rtol=0.02)
    assert mean_best_overlap(sizes, anchors) > 0.9


def test_the_same_boxes_in_any_order_give_the_same() -> None:
    sizes = some_sizes([(10.0, 30.0), (20.0, 10.0)])
    shuffled = np.random.default_rng(1).permutation(sizes)
    assert fitted_anchors(sizes, 5).tolist() == fitted_anchors(shuffled, 5).tolist()


def test_fewer_shapes_than_anchors_are_repeated() -> None:
    sizes = np.array([[4.0, 8.0], [4.0, 8.0], [10.0, 10.0]])
    assert fitted_anchors(sizes, 3).tolist() == [[4, 8], [10, 10], [10, 10]]


def test_the_mean_best_overlap_is_that_of_each_box_with_its_best_anchor() -> None:
    sizes, anchors = np.array([[2.0, 2.0], [4.0, 4.0]]), np.array([[2.0, 2.0], [4.0, 3.0]])
    assert shape_overlaps(sizes, anchors).tolist() == [[1, 4 / 12], [4 / 16, 12 / 16]]
    assert mean_best_overlap(sizes, anchors) == (1 + 0.75) / 2


def test_sizes_are_those_of_boxes_and_not_of_what_fills_up() -> None:
    targets = np.array([[[0, 1, 2, 4, 9], [-1, 0, 0, 0, 0]]], np.float32)
    assert sizes_of(targets).tolist() == [[3, 7]]


def test_anchors_of_blood_cells_fit_better_than_published_ones() -> None:
    sizes = np.load(BLOOD_CELLS).astype(float)
    published = np.array(PUBLISHED, float)
    fitted = fitted_anchors(sizes, 9)
    assert mean_best_overlap(sizes, fitted) > 0.8 > mean_best_overlap(sizes, published)
    assert mean_best_overlap(sizes, fitted_anchors(sizes, 3)) < mean_best_overlap(sizes, fitted)


def test_of_very_many_boxes_some_are_looked_at_from_the_first_to_the_last() -> None:
    sizes = np.concatenate([np.full((40_000, 2), side) for side in (10.0, 50.0, 90.0)])
    assert fitted_anchors(sizes, 3).tolist() == [[10, 10], [50, 50], [90, 90]]
