"""Images that are made up: for tests and benchmarks, where no data set should be needed."""

import numpy as np
from numpy.typing import NDArray

from evonas.data.arrays import Pairs, Pictures, source_of
from evonas.data.dataset import FEWEST, Source
from evonas.data.image import arrays_to_images
from evonas.errors import SettingsError
from evonas.settings import DataSettings, SyntheticSettings

CELLS = 4  # a class's pattern has so many random levels along each side
FURTHEST = 1 / 8  # an image's pattern is moved by up to this share of the side, round the edge
NOISE = 24  # standard deviation, in levels
CONTRAST = (0.5, 1.0)
MADE_AT_ONCE = 500  # images


def read_synthetic(settings: DataSettings, resolution_px: int) -> Source:
    """Each class is a smooth random pattern; its images move it, change its contrast, add noise.

    There are as many images of one class as of another, or one more.

    Raises:
        SettingsError: There are too few images for the classes.
    """
    own = settings.synthetic
    if own.images < FEWEST * own.classes:
        raise SettingsError(
            f"data.synthetic.images={own.images} is too few: {own.classes} classes need "
            f"{FEWEST} images each. Write {FEWEST * own.classes} or more."
        )
    rng = np.random.default_rng(own.seed)
    patterns = _patterns(own, rng)
    labels = rng.permutation(np.arange(own.images) % own.classes)
    parts = [
        _images(patterns, labels[start : start + MADE_AT_ONCE], rng)
        for start in range(0, own.images, MADE_AT_ONCE)
    ]
    pairs = Pairs(np.concatenate(parts), labels, "data=synthetic", "data=synthetic")
    return source_of(tuple(map(str, range(own.classes))), pairs, None, resolution_px)


def _patterns(own: SyntheticSettings, rng: np.random.Generator) -> NDArray[np.float32]:
    """(classes, side, side, channels) of levels around 0."""
    coarse = rng.integers(0, 256, (own.classes, CELLS, CELLS, own.channels), dtype=np.uint8)
    smooth = arrays_to_images(coarse, own.resolution_px).transpose(0, 2, 3, 1)
    return smooth.astype(np.float32) - 127.5


def _images(
    patterns: NDArray[np.float32], labels: NDArray[np.int64], rng: np.random.Generator
) -> Pictures:
    side, count = patterns.shape[1], len(labels)
    furthest = int(side * FURTHEST)
    moved = rng.integers(-furthest, furthest + 1, (2, count, 1))
    rows, columns = (np.arange(side) + moved) % side
    images = patterns[labels[:, None, None], rows[:, :, None], columns[:, None, :]]
    images *= rng.uniform(*CONTRAST, (count, 1, 1, 1)).astype(np.float32)
    images += NOISE * rng.standard_normal(images.shape, dtype=np.float32)
    levels: Pictures = np.clip(images + 127.5, 0, 255).round().astype(np.uint8)
    return levels
