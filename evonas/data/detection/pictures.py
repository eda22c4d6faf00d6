"""Labelled images, decoded, with their boxes in the square that a network sees."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evonas.data.box_targets import NO_BOX, Boxes, BoxTargets, box_groups, box_targets
from evonas.data.dataset import FEWEST, Images, Source, Split
from evonas.data.decode import channels_of, orientation_of, read_framed
from evonas.data.detection.clean_boxes import clean_boxes, other_shape
from evonas.data.detection.faults import Faults
from evonas.data.detection.label_records import Labelled, Labels
from evonas.data.detection.upright import is_on_its_side, upright
from evonas.data.frame import Frame
from evonas.errors import DataError, ImageError

Part = tuple[Images, list[Boxes]]


class Pictures:
    """All pictures of labels at a resolution; notes those that cannot be read.

    Boxes are cut to their picture, and those without area and duplicates left out.
    """

    def __init__(self, labels: Labels, resolution_px: int, faults: Faults) -> None:
        everything = list(chain.from_iterable(labels.parts.values()))
        names = {box.name for own in everything for box in own.boxes}
        self.classes = labels.classes or tuple(sorted(names))
        self.numbers = {name: number for number, name in enumerate(self.classes)}
        self.resolution_px = resolution_px
        self.faults = faults
        self.channels = channels_of(own.image for own in everything)
        read = {part: self._part(own) for part, own in labels.parts.items()}
        self.parts = {part: own for part, own in read.items() if len(own[0])}
        if len(labels.parts) > 1:
            _note_shared(labels, faults)

    def _part(self, labelled: Sequence[Labelled]) -> Part:
        """Its images, but for those that cannot be read, and their boxes."""
        shape = (len(labelled), self.channels, self.resolution_px, self.resolution_px)
        images: Images = np.empty(shape, np.uint8)
        are_read, boxes = np.ones(len(labelled), bool), []
        for index, own in enumerate(labelled):
            found = self._picture(own, images[index])
            are_read[index] = found is not None
            boxes += [] if found is None else [found]
        return (images if are_read.all() else images[are_read]), boxes

    def _picture(self, labelled: Labelled, place: Images) -> Boxes | None:
        """Decodes a picture into its place and gives its boxes; None: noted as a fault."""
        try:
            place[:], frame = read_framed(
                labelled.image, self.resolution_px, self.channels, "letterbox"
            )
        except ImageError as error:
            self.faults.note("damaged", str(error))
            return None
        boxes = self._boxes(labelled, frame.size)
        return None if boxes is None else _in_square(boxes, frame, self.resolution_px)

    def _boxes(self, labelled: Labelled, size: tuple[int, int]) -> Boxes | None:
        """In px of the picture of this size as it is shown; None: noted as of another shape.

        Labels are of that picture, or of the picture as it is stored if only that one is of the
        shape that they say.
        """
        problem, stored = other_shape(labelled, size), size[::-1]
        if problem is None:
            return clean_boxes(labelled, size, self.numbers, self.faults)
        orientation = orientation_of(labelled.image)
        if not is_on_its_side(orientation) or other_shape(labelled, stored):
            self.faults.note("other_size", problem)
            return None
        self.faults.note("turned", str(labelled.image))
        boxes = clean_boxes(labelled, stored, self.numbers, self.faults)
        return upright(boxes, orientation, size)

    def source(self, root: Path) -> Source:
        """The parts as arrays, of the classes that have boxes; damaged images are left out.

        Raises:
            DataError: There are too few images to train on, or no boxes in them.
        """
        fewest = FEWEST + 1 - len(self.parts)
        images = len(self.parts["train"][0]) if "train" in self.parts else 0
        if images < fewest:
            raise DataError(
                f"{root} has {images} labelled images to train on, and a search needs {fewest} or "
                "more."
            )
        most = max(map(len, chain.from_iterable(boxes for _, boxes in self.parts.values())))
        targets = {part: box_targets(boxes, most) for part, (_, boxes) in self.parts.items()}
        used = self._used(targets, root)
        for own in targets.values():
            is_box = own[:, :, 0] != NO_BOX
            own[is_box, 0] = np.searchsorted(used, own[is_box, 0])
        parts = {
            part: Split(self.parts[part][0], own, box_groups(own, len(used)))
            for part, own in targets.items()
        }
        classes = tuple(self.classes[number] for number in used)
        rest = (parts.get("test"), parts.get("validation"))
        return Source(classes, parts["train"], *rest, faults=self.faults.summary(skips=True))

    def _used(self, targets: dict[str, BoxTargets], root: Path) -> NDArray[np.int64]:
        """Numbers of the classes that have boxes; notes those that have none."""
        counts = {part: self._counts(own) for part, own in targets.items()}
        everywhere = np.sum(list(counts.values()), axis=0)
        if not counts["train"].any():
            raise DataError(f"{root} has images to train on and not a box in them.")
        for number, name in enumerate(self.classes):
            if not everywhere[number]:
                self.faults.note("no_box", name)
            elif not counts["train"][number]:
                self.faults.note("untrained", name)
        return np.flatnonzero(everywhere)

    def _counts(self, targets: BoxTargets) -> NDArray[np.int64]:
        labels = targets[:, :, 0].ravel().astype(int)
        return np.bincount(labels[labels != NO_BOX], minlength=len(self.classes))


def _in_square(boxes: Boxes, frame: Frame, resolution_px: int) -> Boxes:
    """Boxes of the picture in px of the square."""
    start = np.array([frame.left, frame.top] * 2, np.float32)
    corners = (boxes[:, 1:] - start) * (resolution_px / frame.side)
    return np.concatenate([boxes[:, :1], corners], axis=1)


def _note_shared(labels: Labels, faults: Faults) -> None:
    """Notes images of one content in two parts."""
    seen: dict[bytes, tuple[str, Path]] = {}
    for part, labelled in labels.parts.items():
        for own in labelled:
            with suppress(OSError):  # noted as damaged
                key = hashlib.blake2b(own.image.read_bytes()).digest()
                other, file = seen.setdefault(key, (part, own.image))
                if other != part:
                    faults.note("shared", f"{own.image} ({part}) and {file} ({other})")
