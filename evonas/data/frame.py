"""Which part of a picture a network sees."""

from dataclasses import dataclass
from typing import Literal

Fit = Literal["crop", "letterbox"]  # cut to the central square, or whole with bars beside it


@dataclass(frozen=True)
class Frame:
    """The square that a network sees of a picture, in pixels of the picture.

    It may reach beyond it: `left` and `top` are then negative. `size` is the picture's width and
    height.
    """

    left: int
    top: int
    side: int
    size: tuple[int, int]


def frame_of(size: tuple[int, int], fit: Fit) -> Frame:
    """The square, in the middle of a picture of this width and height.

    >>> frame_of((6, 4), "crop")
    Frame(left=1, top=0, side=4, size=(6, 4))
    >>> frame_of((6, 4), "letterbox")
    Frame(left=0, top=-1, side=6, size=(6, 4))
    """
    side = min(size) if fit == "crop" else max(size)
    left, top = ((length - side) // 2 for length in size)
    return Frame(left, top, side, size)
