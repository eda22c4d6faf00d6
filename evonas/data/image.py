"""Pictures of any size as arrays of one size."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evonas.data.dataset import Images


def image_to_array(image: Image.Image, resolution_px: int, channels: int) -> Images:
    """The central square at the resolution, as (channels, height, width) of 0..255."""
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    square = image.convert("L" if channels == 1 else "RGB").crop(
        (left, top, left + side, top + side)
    )
    resized = square.resize((resolution_px, resolution_px), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(
        np.asarray(resized).reshape(resolution_px, resolution_px, -1).transpose(2, 0, 1)
    )


def arrays_to_images(arrays: NDArray[np.uint8], resolution_px: int) -> Images:
    """Their central squares at the resolution.

    Args:
        arrays: (images, height, width) or (images, height, width, channels) of 0..255, with 1 or
            3 channels.
    """
    channels = arrays.shape[3] if arrays.ndim == 4 else 1
    pictures = arrays.reshape(*arrays.shape[:3], channels)
    if arrays.shape[1:3] == (resolution_px, resolution_px):
        return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))
    images = np.empty((len(arrays), channels, resolution_px, resolution_px), np.uint8)
    for index, picture in enumerate(pictures):
        flat = np.ascontiguousarray(picture[:, :, 0] if channels == 1 else picture)
        images[index] = image_to_array(Image.fromarray(flat), resolution_px, channels)
    return images
