"""One image file as the picture that a viewer shows.

Training and `predict` read files here and nowhere else, so both see the same.
"""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from evonas.data.data_files import irregular
from evonas.data.dataset import Images
from evonas.data.frame import Fit, Frame, frame_of
from evonas.data.image import image_to_array, opaque
from evonas.errors import ImageError

MOST_PIXELS = 89_478_485  # Pillow warns beyond them; a picture of four channels is then 360 MB
# By content, whatever the suffix. Pillow knows more, and runs Ghostscript on some of them.
FORMATS = ("AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
GREY = ("1", "L", "LA", "La", "I", "F")
ORIENTATION = 0x0112  # tag of EXIF data
BITS, INTERPRETATION = 258, 262  # tags of a TIFF: bits a sample; 0: the lowest level is white
SHALLOW = {"L;2": 85, "L;4": 17}  # of a PNG with less than 8 bits: what Pillow multiplies levels by


def read_image(file: Path, resolution_px: int, channels: int) -> Images:
    """The central square of the picture at the resolution, as (channels, height, width) of 0..255.

    See `read_framed`.
    """
    return read_framed(file, resolution_px, channels, "crop")[0]


def read_framed(file: Path, resolution_px: int, channels: int, fit: Fit) -> tuple[Images, Frame]:
    """The picture fitted to a square of (channels, height, width), and which part of it that is.

    Upright as its EXIF data say, its transparent parts on white, the first frame of an animation.

    Raises:
        ImageError: It is no regular file, no image, damaged, has too many pixels, or levels
            without a known range.
    """
    with _opened(file) as image:
        _scale_transparency(image)
        _turn_upright(image)
        pixels = image_to_array(_of_8_bits(image), resolution_px, channels, fit)
        return pixels, frame_of(image.size, fit)


def read_picture(file: Path) -> Image.Image:
    """The whole picture in colours of 8 bits, as `read_framed` sees it.

    Raises:
        ImageError: As `read_framed`.
    """
    with _opened(file) as image:
        _scale_transparency(image)
        _turn_upright(image)
        return opaque(_of_8_bits(image), "RGB")


def orientation_of(file: Path) -> int:
    """How EXIF data turn and mirror the picture, 1 to 8 (EXIF 2.3, tag 0x0112); 1: they do not.

    Raises:
        ImageError: As `read_framed`.
    """
    with _opened(file) as image:
        image.load()
        with suppress(Exception):  # as in `_turn_upright`
            return int(image.getexif().get(ORIENTATION, 1))
        return 1


def is_grey(file: Path) -> bool:
    """True if the file has no room for colour; only its head is read.

    Raises:
        ImageError: As `read_image`.
    """
    with _opened(file) as image:
        return image.mode in GREY or image.mode.startswith("I;16")


def channels_of(files: Iterable[Path]) -> int:
    """1 if all images are grey, else 3."""
    for file in files:
        with suppress(ImageError):  # reported with all others when they are read
            if not is_grey(file):
                return 3
    return 1


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    refused = partial(ImageError, file)
    try:
        _check_kind(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on harmless faults, of which viewers say nothing
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise Image.DecompressionBombError
                yield image
    except ImageError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise refused(f"it has more than {MOST_PIXELS:,} pixels, make it smaller") from None
    except UnidentifiedImageError:
        raise refused(f"it is none of {', '.join(FORMATS)}") from None
    except MemoryError:
        raise refused("there is not enough memory for it") from None
    except Exception as problem:  # decoders raise whatever a damaged file makes them stumble over
        reason = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
        raise refused(reason) from None


def _check_kind(file: Path) -> None:
    if kind := irregular(file):
        raise ImageError(file, f"it is {kind}")
    if not file.stat().st_size:
        raise ImageError(file, "it is empty")


def _turn_upright(image: Image.Image) -> None:
    """Turns and mirrors the picture as its EXIF data say; damaged ones say nothing."""
    image.load()
    with suppress(Exception):  # as above: the pixels are there, and viewers show them
        ImageOps.exif_transpose(image, in_place=True)


def _scale_transparency(image: Image.Image) -> None:
    """Makes a PNG's transparent level or colour one of 8 bits, as Pillow makes the pixels."""
    key, raw = image.info.get("transparency"), _raw_mode(image)
    if image.mode == "L" and isinstance(key, int):
        image.info["transparency"] = key * SHALLOW.get(raw, 1)
    elif raw == "RGB;16B" and isinstance(key, tuple):
        image.info["transparency"] = tuple(level >> 8 for level in key)


def _raw_mode(image: Image.Image) -> str:
    tiles = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _of_8_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return Image.fromarray(_of_16_bits(image))
    if image.mode == "F":
        levels = np.asarray(image)
        low, high = levels.min(), levels.max()
        if not (low >= 0 and high <= 1):
            raise ValueError(f"floats have to be from 0 to 1, these are from {low:g} to {high:g}")
        return Image.fromarray(np.round(levels * 255).astype(np.uint8))
    return image


def _of_16_bits(image: Image.Image) -> NDArray[np.uint8]:
    levels = np.asarray(image)
    if image.mode == "I" and not (image.format in ("PNG", "PPM") and levels.min() >= 0):
        raise ValueError("levels of 32 bits have no known range, save it with 8 or 16 bits")
    tags = getattr(image, "tag_v2", {})  # of a TIFF
    bits = min(16, tags.get(BITS, (16,))[0])
    shares = np.minimum(np.arange(2**16) / (2**bits - 1), 1)
    table = np.round(255 * (1 - shares if tags.get(INTERPRETATION) == 0 else shares))
    key = image.info.get("transparency")
    if key is not None:
        table[key] = 255  # as on the white background
    return np.asarray(table.astype(np.uint8)[levels])
