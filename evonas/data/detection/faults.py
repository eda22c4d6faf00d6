"""What is wrong with labels: every kind, how often, and where."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from evonas.data.dataset import Fault, LabelFaults
from evonas.data.layout import first

SHOWN = 3  # places of a kind that are spelled out before the rest is only counted


@dataclass(frozen=True)
class Kind:
    """A kind of fault, named of one and of many; a search is refused because of some."""

    one: str
    many: str
    is_refused: bool = False


KINDS: Mapping[str, Kind] = {
    "unreadable": Kind("label that cannot be read", "labels that cannot be read", True),
    "unknown": Kind("label of an unknown class", "labels of unknown classes", True),
    "missing": Kind("image or label file missing", "images or label files missing", True),
    "damaged": Kind("damaged image", "damaged images", True),
    "other_size": Kind(
        "image of another shape than its labels say",
        "images of another shape than their labels say",
        True,
    ),
    "turned": Kind(
        "image labelled as it is stored, its boxes turned as its EXIF data say",
        "images labelled as they are stored, their boxes turned as their EXIF data say",
    ),
    "cut": Kind("box cut at the edge of its image", "boxes cut at the edges of their images"),
    "outside": Kind("box outside its image left out", "boxes outside their images left out"),
    "no_area": Kind("box without area left out", "boxes without area left out"),
    "twice": Kind("box given twice kept once", "boxes given twice kept once"),
    "crowd": Kind("box round a crowd left out", "boxes round crowds left out"),
    "difficult": Kind("box marked as difficult kept", "boxes marked as difficult kept"),
    "background": Kind(
        "image without a label file taken as one without objects",
        "images without label files taken as ones without objects",
    ),
    "unlabelled": Kind("image without labels left out", "images without labels left out"),
    "no_image": Kind("label file without an image left out", "label files without images left out"),
    "unlisted": Kind("image in no part of the split", "images in no part of the split"),
    "no_part": Kind(
        "part of the split that is named and not there",
        "parts of the split that are named and not there",
    ),
    "shared": Kind("image in two parts of the split", "images in two parts of the split"),
    "no_box": Kind("class without boxes left out", "classes without boxes left out"),
    "untrained": Kind("class without boxes to train on", "classes without boxes to train on"),
}


class Faults:
    """Collects faults while labels are read."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(KINDS, 0)
        self.places: dict[str, list[str]] = {kind: [] for kind in KINDS}

    def note(self, kind: str, place: str) -> None:
        """Counts one of a kind; `place` says where, for the refused ones in a whole sentence."""
        self.counts[kind] += 1
        if self.counts[kind] <= SHOWN:
            self.places[kind].append(place)

    def summary(self, skips: bool) -> tuple[Fault, ...]:
        """Every kind that was found; if images with those that are refused are skipped, so."""
        found = []
        for name, kind in KINDS.items():
            if count := self.counts[name]:
                words = kind.one if count == 1 else kind.many
                words += ", such images left out" if kind.is_refused and skips else ""
                stops = kind.is_refused and not skips
                found.append(Fault(words, count, tuple(self.places[name]), stops))
        return tuple(found)

    def check(self, root: Path) -> None:
        """Raises LabelFaults if anything was found that no search goes on with."""
        problems = list(self._refused())
        if problems:
            problems.append(
                "Leave such images out by data.skip_damaged=true, or look at everything by "
                f"evonas doctor data=detection data.path={root}"
            )
            raise LabelFaults(problems, self.summary(skips=False))

    def _refused(self) -> Iterator[str]:
        for name, kind in KINDS.items():
            if kind.is_refused:
                yield from first(self.places[name], self.counts[name])
