"""How many trials a GPU takes at a time: by the memory that trials were seen to take."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

MARGIN = 1.3  # the next trial may be a larger network
STEPS = 16  # shares are whole sixteenths of a GPU


@dataclass(frozen=True)
class Place:
    """A GPU by its number, and the share of it that a trial may take; 0 if it takes none."""

    gpu: int = 0
    share: float = 0.0


class Packing:
    """Places trials on GPUs: beside each other while their shares fit, in the order they come.

    Args:
        wanted: The share of a GPU that a trial takes, at most all of it; "auto": what `share_of`
            says of the highest peak so far, a whole GPU before there is one.
        slots: Of each GPU, the number of trials it may run at a time however little they take;
            without GPUs everything has room.
    """

    def __init__(self, wanted: float | Literal["auto"] = 0.0, slots: Sequence[int] = ()) -> None:
        self._wanted = min(wanted, 1.0) if slots and wanted != "auto" else wanted
        self._slots = tuple(slots)
        self._places: dict[int, Place] = {}
        self._peak: float | None = None

    @property
    def share(self) -> float:
        """The share of a GPU that the next trial gets."""
        return share_of(self._peak) if self._wanted == "auto" else self._wanted

    def place(self, number: int, alone: bool = False) -> Place | None:
        """Gives a trial room on the emptiest GPU, if `alone` a whole one; None: there is none."""
        share = 1.0 if alone else self.share
        held = [self._held(gpu) for gpu in range(len(self._slots))]
        rooms = [gpu for gpu, slots in enumerate(self._slots) if fits(held[gpu], share, slots)]
        if self._slots and not rooms:
            return None
        gpu = min(rooms, key=lambda gpu: sum(held[gpu]), default=0)
        self._places[number] = Place(gpu, share)
        return self._places[number]

    def leave(self, number: int) -> None:
        """The trial runs no more: others get its room."""
        del self._places[number]

    def is_shared(self, number: int) -> bool:
        """True if the trial was given less than a whole GPU, so that others could take the rest."""
        return 0 < self._places[number].share < 1

    def learn(self, peak: float | None) -> None:
        """Takes note of the share of a GPU's memory that a trial took, if it used one."""
        if peak is not None:
            self._peak = max(self._peak or 0.0, peak)

    def _held(self, gpu: int) -> list[float]:
        return [place.share for place in self._places.values() if place.gpu == gpu]


def share_of(peak: float | None) -> float:
    """The share of a GPU for trials whose highest peak is so much of its memory, 1/16 to 1.

    Example:
        >>> share_of(0.1), share_of(0.001), share_of(0.9), share_of(None)
        (0.1875, 0.0625, 1.0, 1.0)
    """
    if peak is None:
        return 1.0
    return min(max(math.ceil(peak * MARGIN * STEPS), 1), STEPS) / STEPS


def fits(held: Sequence[float], share: float, slots: int) -> bool:
    """True if one more trial of this share has room on a GPU beside those that run there."""
    return len(held) < slots and sum(held) + share <= 1 + 1e-9


def slots_of(workers: int, gpus: int) -> list[int]:
    """Workers of each GPU: worker `i` works on GPU `i % gpus`."""
    return [len(range(gpu, workers, gpus)) for gpu in range(min(gpus, workers))]
