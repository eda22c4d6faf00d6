"""The 1,797 handwritten digits that come with scikit-learn."""

import numpy as np
from PIL import Image

from evonas.data.dataset import Images, Source, Split
from evonas.settings import DataSettings


def read_digits(settings: DataSettings, resolution_px: int) -> Source:
    """8x8 grey images of 0..16, enlarged bilinearly to the resolution."""
    from sklearn.datasets import load_digits  # slow to import, and needed here alone

    digits = load_digits()
    images = np.stack([_enlarged(image, resolution_px) for image in digits.images])
    labels = digits.target.astype(np.int64)
    return Source(tuple(str(digit) for digit in range(10)), Split(images, labels), None)


def _enlarged(image: np.ndarray, resolution_px: int) -> Images:
    grey = Image.fromarray((image * (255 / 16)).round().astype(np.uint8))
    size = (resolution_px, resolution_px)
    return np.asarray(grey.resize(size, Image.Resampling.BILINEAR))[None]
