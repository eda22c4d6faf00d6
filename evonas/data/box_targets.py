"""Boxes of many images as one array."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evonas.data.dataset import Groups

Boxes = NDArray[np.float32]  # (boxes, 5): class, x1, y1, x2, y2
BoxTargets = NDArray[np.float32]  # (images, most boxes, 5): likewise, class NO_BOX fills up

NO_BOX = -1
FEWEST_OF_A_GROUP = 5  # images, so that three parts get some and not all


def box_targets(boxes: Sequence[Boxes], most: int) -> BoxTargets:
    """The boxes of each image, filled up to `most` rows by class -1 and corners 0."""
    targets = np.zeros((len(boxes), most, 5), np.float32)
    targets[:, :, 0] = NO_BOX
    for row, own in zip(targets, boxes, strict=True):
        row[: len(own)] = own
    return targets


def box_groups(targets: BoxTargets, classes: int) -> Groups:
    """The group of each image, (images,): its rarest class; `classes` without boxes.

    The rarest is the class in the fewest images. Groups of fewer than five images join the
    largest one, as a split could not give each part a share of them.
    """
    there = images_with(targets, classes)
    counts = np.where(there, there.sum(0), len(targets) + 1)
    groups: Groups = np.where(there.any(1), counts.argmin(1), classes).astype(np.int64)
    sizes = np.bincount(groups, minlength=classes + 1)
    groups[sizes[groups] < FEWEST_OF_A_GROUP] = sizes.argmax()
    return groups


def images_with(targets: BoxTargets, classes: int) -> NDArray[np.bool_]:
    """Whether each image has a box of each class, (images, classes)."""
    there: NDArray[np.bool_] = (targets[:, :, :1] == np.arange(classes)).any(1)
    return there
