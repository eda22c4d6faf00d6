"""Folders of images, one folder a class."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from evonas.data.data_files import given_folder
from evonas.data.dataset import FEWEST, Images, Source, Split
from evonas.data.decode import channels_of, is_grey, read_image
from evonas.data.layout import Files, Layout, first, is_image_name, lay_out, some
from evonas.data.walk import walk
from evonas.errors import DataError, ImageError
from evonas.settings import DataSettings

HOLDS = "one folder of images a class"
SHOWN = 5  # problems spelled out before the rest is only counted


def read_folder(settings: DataSettings, resolution_px: int) -> Source:
    """`DIR/CLASS/*.png`, or `DIR/train/CLASS/...` with `DIR/val/...`, `DIR/test/...` or both.

    Images are cut to their central square and resized; a set of grey images keeps one channel.

    Raises:
        DataError: No such folder, no classes, empty classes or damaged images, by name.
    """
    layout = lay_out(given_folder(settings, HOLDS))
    reading = _Reading(layout, resolution_px, settings.skip_damaged)
    parts = {part: reading.part(files) for part, files in layout.files.items()}
    reading.check(parts)
    return Source(
        layout.classes,
        parts["train"],
        parts.get("test"),
        parts.get("validation"),
        tuple(reading.left_out()),
    )


def left_out_of_folder(settings: DataSettings) -> tuple[str, ...]:
    """What lies in the folder and is none of its images, in words."""
    return lay_out(given_folder(settings, HOLDS)).left_out


class _Reading:
    """Reads image files, and notes those that are none."""

    def __init__(self, layout: Layout, resolution_px: int, skips: bool) -> None:
        self.layout = layout
        self.resolution_px = resolution_px
        self.skips = skips
        self.channels = channels_of(chain.from_iterable(chain(*layout.files.values())))
        self.damaged: list[ImageError] = []
        self.nameless: list[ImageError] = []  # files without suffix that are no images

    def part(self, files: Files) -> Split:
        """Its images, class by class, but for those that cannot be read."""
        labels = np.repeat(np.arange(len(files)), [len(own) for own in files])
        shape = (len(labels), self.channels, self.resolution_px, self.resolution_px)
        images: Images = np.empty(shape, np.uint8)
        are_read = np.ones(len(labels), bool)
        for index, file in enumerate(chain.from_iterable(files)):
            try:
                images[index] = read_image(file, self.resolution_px, self.channels)
            except ImageError as error:
                are_read[index] = False
                (self.damaged if file.suffix else self.nameless).append(error)
        split = Split(images, labels)
        return split if are_read.all() else split.part(are_read)

    def check(self, parts: dict[str, Split]) -> None:
        """Raises a DataError if classes are too small, or images damaged and not skipped."""
        damaged = [] if self.skips else [str(error) for error in self.damaged]
        problems = [*self._few(parts), *damaged]
        if not problems:
            return
        hint = ["Leave damaged images out by data.skip_damaged=true."] if damaged else []
        raise DataError([*first(problems[:SHOWN], len(problems)), *hint])

    def _few(self, parts: dict[str, Split]) -> Iterator[str]:
        is_refused = bool(self.damaged) and not self.skips  # then they may become images yet
        for part, split in parts.items():
            # Training images are also what parts that have no folder are taken from.
            fewest = FEWEST + 1 - len(parts) if part == "train" else 1
            counts = np.bincount(split.targets, minlength=len(self.layout.classes)).tolist()
            if is_refused:
                counts = [len(files) for files in self.layout.files[part]]
            for name, count in zip(self.layout.classes, counts, strict=True):
                if count < fewest:
                    folder = self.layout.roots[part] / name
                    yield f"{folder} has {count} images, and a class needs {fewest} or more."

    def left_out(self) -> Iterator[str]:
        """What cannot be read, in words."""
        if self.damaged:
            names = some([error.file.name for error in self.damaged])
            yield f"{len(self.damaged):,} damaged ({names})"
        if self.nameless:
            yield f"{len(self.nameless):,} without suffix that are no images"


def image_files(folder: Path) -> list[Path]:
    """The images in a folder, at any depth: by suffix, or of files without one by content."""
    return [file for file in walk(folder).files if is_image_name(file) and _may_be_image(file)]


def _may_be_image(file: Path) -> bool:
    """True of suffixes of images; of files without one, if they begin as an image does."""
    if file.suffix:
        return True
    try:
        is_grey(file)
    except ImageError:
        return False
    return True
