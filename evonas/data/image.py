"""Pictures of any size as arrays of one size."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evonas.data.dataset import Images
from evonas.data.frame import Fit, frame_of

BARS = 114  # level of the bars beside a letterboxed picture, as most detectors have it
# Modes that Pillow converts to these only, and from these to any.
PLAIN = {"La": "LA", "LAB": "RGB", "RGBa": "RGBA"}


def image_to_array(
    image: Image.Image, resolution_px: int, channels: int, fit: Fit = "crop"
) -> Images:
    """The picture's square at the resolution, as (channels, height, width) of 0..255."""
    square = _square(image, "L" if channels == 1 else "RGB", fit)
    resized = square.resize((resolution_px, resolution_px), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(
        np.asarray(resized).reshape(resolution_px, resolution_px, -1).transpose(2, 0, 1)
    )


def _square(image: Image.Image, mode: str, fit: Fit) -> Image.Image:
    """What the frame holds of the picture, in the mode; grey beyond the picture's edges."""
    if image.width == image.height:
        return opaque(image, mode)
    frame = frame_of(image.size, fit)
    if fit == "crop":
        corners = (frame.left, frame.top, frame.left + frame.side, frame.top + frame.side)
        return opaque(image.crop(corners), mode)
    square = Image.new(mode, (frame.side, frame.side), BARS if mode == "L" else (BARS,) * 3)
    square.paste(opaque(image, mode), (-frame.left, -frame.top))
    return square


def opaque(image: Image.Image, mode: str) -> Image.Image:
    """The picture in the mode, on a white background where it is transparent."""
    known = image.convert(PLAIN[image.mode]) if image.mode in PLAIN else image
    if not known.has_transparency_data:
        return known.convert(mode)
    picture = known.convert("RGBA")
    background = Image.new(mode, image.size, "white")
    background.paste(picture.convert(mode), mask=picture.getchannel("A"))
    return background


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
