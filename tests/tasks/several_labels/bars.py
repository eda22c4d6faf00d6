"""Images with any of a lying bar, a standing bar and a bright corner."""

import numpy as np
from numpy.typing import NDArray

from evonas.data.dataset import Images, Source, Split
from evonas.settings import DataSettings

CLASSES = ("lying", "standing", "corner")
COUNT = 240


def drawn(labels: NDArray[np.float32], side: int, rng: np.random.Generator) -> Images:
    """Images (count, 1, side, side) of labels (count, 3)."""
    images = rng.integers(0, 60, (len(labels), 1, side, side), dtype=np.uint8)
    bright = labels.astype(bool)
    third = side // 3
    images[bright[:, 0], :, third : third + 2, :] += 180
    images[bright[:, 1], :, :, -third : 2 - third] //= 2
    images[bright[:, 1], :, :, -third : 2 - third] += 120
    images[bright[:, 2], :, -2:, :2] = 255
    return images


def read_bars(settings: DataSettings, resolution_px: int) -> Source:
    """Each class is in half of the images, whatever the others are."""
    rng = np.random.default_rng(0)
    numbers = rng.permutation(np.arange(COUNT) % 8)
    labels = (numbers[:, None] >> np.arange(3) & 1).astype(np.float32)
    return Source(CLASSES, Split(drawn(labels, resolution_px, rng), labels, numbers), None)
