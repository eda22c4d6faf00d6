"""Folders of images, one folder a class."""

from contextlib import suppress
from itertools import chain
from pathlib import Path

import numpy as np

from evonas.data.dataset import FEWEST, Images, Source, Split
from evonas.data.decode import is_grey, read_image
from evonas.errors import DataError, ImageError
from evonas.settings import DataSettings

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
SHOWN = 5  # problems spelled out before the rest is only counted


def read_folder(settings: DataSettings, resolution_px: int) -> Source:
    """`DIR/CLASS/*.png`, or `DIR/train/CLASS/...` with `DIR/test/CLASS/...` as the test part.

    Images are cut to their central square and resized; a set of grey images keeps one channel.

    Raises:
        DataError: No such folder, no classes, empty classes or damaged images, by name.
    """
    path = settings.path
    if path is None:
        raise DataError(
            "data=folder needs data.path=DIR, a folder with one folder of images a class."
        )
    if not path.is_dir():
        raise DataError(
            f"There is no folder {path}. Give data.path=DIR, with one folder of images a class."
        )
    is_divided = (path / "train").is_dir() and (path / "test").is_dir()
    root = path / "train" if is_divided else path
    classes = _classes(root)
    if is_divided and (strange := set(_class_names(path / "test")) - set(classes)):
        raise DataError(f"{path / 'test'} has classes that train has not: {', '.join(strange)}.")
    channels = _channels(path)
    development = _read_part(root, classes, resolution_px, channels)
    test = _read_part(path / "test", classes, resolution_px, channels) if is_divided else None
    return Source(classes, development, test)


def _class_names(root: Path) -> list[str]:
    return sorted(entry.name for entry in root.iterdir() if entry.is_dir() and entry.name[0] != ".")


def _classes(root: Path) -> tuple[str, ...]:
    names = _class_names(root)
    if len(names) < 2:
        raise DataError(
            f"{root} has {len(names)} folders of classes, and a classification needs two or more."
        )
    return tuple(names)


def image_files(folder: Path) -> list[Path]:
    """The files in a folder, at any depth, that are read as images, by name."""
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)


def _channels(path: Path) -> int:
    """1 if all images are grey, else 3."""
    for file in image_files(path):
        with suppress(ImageError):  # reported with all others when they are read
            if not is_grey(file):
                return 3
    return 1


def _read_part(root: Path, classes: tuple[str, ...], resolution_px: int, channels: int) -> Split:
    files = [image_files(root / name) for name in classes]
    problems = [
        f"{root / name} has {len(own)} images, and a class needs {FEWEST} or more."
        for name, own in zip(classes, files, strict=True)
        if len(own) < FEWEST
    ]
    labels = np.repeat(np.arange(len(classes)), [len(own) for own in files])
    images: Images = np.empty((len(labels), channels, resolution_px, resolution_px), np.uint8)
    for index, file in enumerate(chain.from_iterable(files)):
        try:
            images[index] = read_image(file, resolution_px, channels)
        except ImageError as error:
            problems += error.problems
    if problems:
        more = len(problems) - SHOWN
        rest = [f"... and {more} more like these."] if more > 0 else []
        raise DataError([*problems[:SHOWN], *rest])
    return Split(images, labels)
