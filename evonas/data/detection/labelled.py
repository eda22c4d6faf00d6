"""What labels say of images, whatever format they are written in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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
    """
    names = (name.lower() for name in place.parts[:-1])
    return next((PARTS[name] for name in names if name in PARTS), None)
