"""Images with labelled boxes in a folder, in any of the usual formats."""

from pathlib import Path

from evonas.data.data_files import given_folder
from evonas.data.dataset import Source
from evonas.data.detection.faults import Faults
from evonas.data.detection.label_formats import FORMATS, read_labels
from evonas.data.detection.pictures import Pictures
from evonas.data.layout import is_image_name
from evonas.data.walk import walk
from evonas.settings import DataSettings

HOLDS = "images and their boxes, as in YOLO, COCO or Pascal VOC"


def read_detection(settings: DataSettings, resolution_px: int) -> Source:
    """Letterboxed images of the parts that labels name, with boxes in px of the square.

    Raises:
        DataError: No such folder, no labels, or none to train on.
        LabelFaults: Labels or images that cannot be read, by file and line.
    """
    root, faults = given_folder(settings, HOLDS), Faults()
    labels = read_labels(root, settings.format, faults)
    pictures = Pictures(labels, resolution_px, faults)
    if not settings.skip_damaged:
        faults.check(root)
    return pictures.source(root)


def left_out_of_detection(settings: DataSettings) -> tuple[str, ...]:
    """What is passed by in the folder, in words."""
    root = given_folder(settings, HOLDS)
    found = walk(root)
    written = [f"{path.relative_to(root)} that evonas wrote" for path in found.written]
    return (*([f"{len(found.hidden):,} hidden"] if found.hidden else ()), *written)


def may_be_labelled(file: Path) -> bool:
    """True of images, and of files that labels may stand in."""
    return is_image_name(file) or any(own.reads(file) for own in FORMATS.values())
