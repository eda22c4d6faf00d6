"""What images and labels that come as arrays have to keep, whatever file they lie in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evonas.data.dataset import FEWEST, Source, Split
from evonas.data.image import arrays_to_images
from evonas.errors import DataError

Pictures = NDArray[np.uint8]  # (images, height, width) or (images, height, width, channels)


@dataclass(frozen=True)
class Pairs:
    """Images and their labels as a file has them, and where they come from, for messages.

    `images`: (images, height, width[, 1 or 3]) of 0..255; `labels`: (images,) of any integers.
    """

    images: Pictures
    labels: NDArray[Any]
    images_place: str
    labels_place: str

    def problems(self, classes: int) -> list[str]:
        """What is wrong with them, in a data set of so many classes."""
        if self.images.size == 0:
            return [f"{self.images_place} has no images."]
        if len(self.images) != len(self.labels):
            return [
                f"{self.labels_place} has {len(self.labels):,} labels for the "
                f"{len(self.images):,} images of {self.images_place}. Each image needs one."
            ]
        (strange,) = np.nonzero((self.labels < 0) | (self.labels >= classes))
        if len(strange):
            first = int(strange[0])
            return [
                f"{self.labels_place}: the label of image {first} is {self.labels[first]}, and "
                f"the {classes} classes are 0 to {classes - 1}. Wrong in all: {len(strange):,}."
            ]
        return []

    def split(self, resolution_px: int) -> Split:
        """The images at the resolution."""
        images = arrays_to_images(self.images, resolution_px)
        return Split(images, self.labels.astype(np.int64))


def source_of(
    classes: Sequence[str], development: Pairs, test: Pairs | None, resolution_px: int
) -> Source:
    """A source of arrays that fit together.

    Raises:
        DataError: Counts differ, labels are outside the classes, a class has too few images.
    """
    problems = development.problems(len(classes)) or _few(classes, development)
    problems += test.problems(len(classes)) if test else []
    if problems:
        raise DataError(problems)
    return Source(
        tuple(classes),
        development.split(resolution_px),
        test.split(resolution_px) if test else None,
    )


def _few(classes: Sequence[str], pairs: Pairs) -> list[str]:
    counts = np.bincount(pairs.labels.astype(np.int64), minlength=len(classes))
    return [
        f"{pairs.labels_place}: class {label} ({name}) has {count} images, and a class needs "
        f"{FEWEST} or more."
        for label, (name, count) in enumerate(zip(classes, counts.tolist(), strict=True))
        if count < FEWEST
    ][:FEWEST]
