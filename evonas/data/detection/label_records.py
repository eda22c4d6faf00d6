"""What labels say of images, whatever format they are written in."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from evonas.data.detection.label_numbers import finite
from evonas.data.layout import PARTS


class LabelledBox(NamedTuple):
    """A box as its label has it: the name of its class, and corners.

    These are px of the upright picture, or shares of its sides. `place` says where the label
    stands, as `line 3`.
    """

    name: str
    x1: float
    y1: float
    x2: float
    y2: float
    place: str


def box_round(name: str, points: Sequence[float], place: str) -> LabelledBox:
    """The smallest box round points, x and y in turn."""
    across, down = points[::2], points[1::2]
    return LabelledBox(name, min(across), min(down), max(across), max(down), place)


@dataclass(frozen=True)
class Labelled:
    """An image file and its boxes.

    `labels` is the file that they stand in, if there is one; `size` what it says of the picture's
    width and height. `in_shares`: corners are shares of the picture's sides, else px.
    """

    image: Path
    boxes: Sequence[LabelledBox]
    labels: Path | None = None
    size: tuple[int, int] | None = None
    in_shares: bool = False


@dataclass(frozen=True)
class Labels:
    """The labelled images of each part: `train` and maybe `validation`, `test`.

    `left_out`: what lies beside and was not read, in words.
    """

    classes: tuple[str, ...]
    parts: Mapping[str, Sequence[Labelled]]
    left_out: tuple[str, ...] = ()


def part_of(place: Path) -> str | None:
    """The part of the split that a folder on the way to a file is named for; None: there is none.

    Args:
        place: Relative to the data set's folder.

    >>> part_of(Path("valid/images/1.png")), part_of(Path("images/train2017/1.png"))
    ('validation', 'train')
    """
    return next((part for name in place.parts[:-1] if (part := part_in(name))), None)


def part_in(name: str) -> str | None:
    """The part of the split that a name has as a word, digits or not behind it."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((PARTS[word] for word in words if word in PARTS), None)


def size_of(width: object, height: object) -> tuple[int, int] | None:
    """What labels say of a picture's size; None: nothing, or zeros as some tools write."""
    try:
        size = round(finite(width)), round(finite(height))
    except ValueError:
        return None
    return size if min(size) > 0 else None
