"""Anchors of the user's boxes: k-means by shape."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

ITERATIONS = 300  # many times what it takes until nothing changes
MOST = 20_000  # boxes that are looked at: of more, each n-th
DECIMALS = 2  # of px
USUAL = 9  # anchors: three for each of three levels

Sizes = NDArray[np.float64]  # (boxes, 2), width and height in px


def sizes_of(targets: NDArray[Any]) -> Sizes:
    """Of the boxes among targets (images, most, 5)."""
    boxes = targets[targets[..., 0] >= 0][:, 1:5].astype(np.float64)
    return boxes[:, 2:] - boxes[:, :2]


def fitted_anchors(sizes: Sizes, number: int) -> Sizes:
    """So many anchors, the smallest first: k-means with the distance 1 - IoU of shapes.

    YOLOv2, arXiv 1612.08242, section 2 (dimension clusters). It begins with boxes that lie evenly
    in the order of areas, so that the same boxes give the same anchors. Of fewer shapes than
    anchors some are the same; there has to be a box.
    """
    sizes = sizes[:: math.ceil(len(sizes) / MOST)]
    shapes = _by_area(np.unique(sizes, axis=0))
    places = ((np.arange(number) + 0.5) * len(shapes) / number).astype(int)
    anchors, before = shapes[places], np.full(len(sizes), -1)
    for _ in range(ITERATIONS):
        nearest = shape_overlaps(sizes, anchors).argmax(1)
        if (nearest == before).all():
            break
        before = nearest
        counts = np.bincount(nearest, minlength=number)
        sums = np.stack([np.bincount(nearest, own, number) for own in sizes.T], 1)
        anchors = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], anchors)
    return _by_area(anchors).round(DECIMALS)


def mean_best_overlap(sizes: Sizes, anchors: Sizes) -> float:
    """The mean over the boxes of the IoU with the anchor whose shape fits best, 0..1."""
    return float(shape_overlaps(sizes, anchors).max(1).mean())


def told_anchors(sizes: Sizes, chosen: Sequence[Sequence[float]] | None) -> str:
    """Anchors and how well they fit, in words: those that somebody chose, or as many as usual."""
    anchors = fitted_anchors(sizes, USUAL) if chosen is None else np.array(chosen)
    whose = f"{USUAL} that fit the training boxes" if chosen is None else "of the recipe"
    listed = ", ".join(f"{width:.3g} x {height:.3g}" for width, height in anchors)
    return f"{whose}: {listed} px; mean best IoU {mean_best_overlap(sizes, anchors):.2f}"


def shape_overlaps(sizes: Sizes, anchors: Sizes) -> NDArray[np.float64]:
    """IoU of boxes in one corner, (boxes, anchors)."""
    common = np.minimum(sizes[:, None], anchors).prod(2)
    areas = sizes.prod(1)[:, None] + anchors.prod(1)
    return np.asarray(common / (areas - common))


def _by_area(sizes: Sizes) -> Sizes:
    return sizes[np.lexsort((sizes[:, 0], sizes.prod(1)))]
