"""The formats that labels are written in, and which of them a folder has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evonas.data.detection.coco import fits_coco, is_json, read_coco
from evonas.data.detection.faults import Faults
from evonas.data.detection.label_records import Labels
from evonas.data.detection.voc import fits_voc, is_xml, read_voc
from evonas.data.detection.yolo import fits_yolo, is_yolo, read_yolo
from evonas.data.walk import Walk, walk
from evonas.errors import DataError


@dataclass(frozen=True)
class LabelFormat:
    """How labels are found and read.

    Args:
        title: The format's name, and what lies in its folder.
        fits: True if what lies in a folder is of this format.
        read: Gives all labels of a folder, and notes faults.
        reads: Of the files in the folder, those that labels may stand in.
    """

    title: str
    fits: Callable[[Walk], bool]
    read: Callable[[Path, Walk, Faults], Labels]
    reads: Callable[[Path], bool]


FORMATS: Mapping[str, LabelFormat] = {
    "yolo": LabelFormat("YOLO (data.yaml and text files)", fits_yolo, read_yolo, is_yolo),
    "coco": LabelFormat("COCO (JSON files)", fits_coco, read_coco, is_json),
    "voc": LabelFormat("Pascal VOC (XML files)", fits_voc, read_voc, is_xml),
}


def read_labels(root: Path, name: str, faults: Faults) -> Labels:
    """The labels in a folder, in the format of a name or, with `auto`, in the one that fits.

    Raises:
        DataError: None fits, or several do.
    """
    found = walk(root)
    return _format(root, name, found).read(root, found, faults)


def _format(root: Path, name: str, found: Walk) -> LabelFormat:
    fitting = [own for own in FORMATS if name in (own, "auto") and FORMATS[own].fits(found)]
    if not fitting:
        wanted = [FORMATS[own].title for own in FORMATS if name in (own, "auto")]
        raise DataError(f"{root} has no labels of {' or '.join(wanted)}.")
    if len(fitting) > 1:
        titles = [FORMATS[own].title for own in fitting]
        raise DataError(
            f"{root} has labels of {' and of '.join(titles)}. Say which by data.format="
            f"{' or data.format='.join(fitting)}."
        )
    return FORMATS[fitting[0]]
