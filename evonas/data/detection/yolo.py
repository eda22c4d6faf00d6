"""Labels of YOLO: `data.yaml` with the classes, and a text file an image."""

from collections import defaultdict
from collections.abc import Container, Iterator
from pathlib import Path

from evonas.data.data_files import read_text
from evonas.data.detection.faults import Faults
from evonas.data.detection.label_numbers import finite
from evonas.data.detection.label_records import Labelled, LabelledBox, Labels, box_round, part_of
from evonas.data.detection.yolo_places import Places
from evonas.data.detection.yolo_set import CLASS_LIST, YoloSet, yolo_set
from evonas.data.layout import PARTS, is_image_name
from evonas.data.walk import Walk
from evonas.errors import DataError

IMAGES, LABELS = "images", "labels"  # the folder of images, and that of labels in its place
BOX = 4  # numbers: centre, width and height
FEWEST_OF_A_POLYGON = 6
FURTHEST = 2.0  # shares beyond it are no slip of a hand: they are px


def fits_yolo(found: Walk) -> bool:
    """True if a file names classes as YOLO does; of classes.txt alone if images have labels.

    Tools write that file beside labels of other formats as well.
    """
    own = yolo_set(found)
    if own is None or own.file.name != CLASS_LIST:
        return own is not None
    texts = {file.stem for file in found.files if file.suffix == ".txt"} - {own.file.stem}
    return any(file.stem in texts for file in found.files if is_image_name(file))


def is_yolo(file: Path) -> bool:
    """True of the suffixes of labels and of the files that name classes."""
    return file.suffix.lower() in (".txt", ".yaml", ".yml")


def read_yolo(root: Path, found: Walk, faults: Faults) -> Labels:
    """The images that `data.yaml` names for each part, or those in folders named for parts.

    Raises:
        DataError: The file of the classes does not hold together, or leads out of the folder.
    """
    own = yolo_set(found)
    if own is None:
        raise DataError(f"{root} has neither a data.yaml that names classes nor a {CLASS_LIST}.")
    images = [file for file in found.files if is_image_name(file)]
    pairs = _named(own, root, found, faults) if own.entries else _by_folder(root, images)
    members = dict.fromkeys(pairs)  # an image that two words name is there once
    texts = {file for file in found.files if file.suffix.lower() == ".txt"}
    labels = {image: _label_file(image, root, texts) for _, image in members}
    _note_unused(own, images, texts, labels, faults)
    read = {image: _labelled(image, file, own, faults) for image, file in labels.items()}
    parts: dict[str, list[Labelled]] = defaultdict(list)
    for part, image in members:
        labelled = read[image]
        if labelled is not None:
            parts[part].append(labelled)
    return Labels(own.classes, parts)


def _by_folder(root: Path, images: list[Path]) -> Iterator[tuple[str, Path]]:
    """Part and file of each image, by folders that are named for parts if there is one to train."""
    parts = {image: part_of(image.relative_to(root)) for image in images}
    is_divided = "train" in parts.values()
    for image, part in parts.items():
        if part or not is_divided:
            yield (part if is_divided else None) or "train", image


def _named(own: YoloSet, root: Path, found: Walk, faults: Faults) -> Iterator[tuple[str, Path]]:
    """Part and file of each image in the folders, lists and files that data.yaml names."""
    places = Places(root, own, found)
    for part, words in own.entries.items():
        for word in words:
            way = places.find(word)
            if way is None and (part == "train" or places.outside(word)):
                raise DataError(_nowhere(own, part, word, places))
            if way is None:
                faults.note("no_part", f"{own.file}: {part} is {word}")
            elif way.suffix.lower() == ".txt":
                yield from ((part, image) for image in _of_list(way, places, faults))
            elif is_image_name(way) and way in set(found.files):
                yield part, way
            else:
                below = (file for file in found.files if way in file.parents)
                yield from ((part, file) for file in below if is_image_name(file))


def _nowhere(own: YoloSet, part: str, word: str, places: Places) -> str:
    outside = places.outside(word)
    if outside is None:
        return f"{own.file}: {part} is {word}, and {places.root} has no files there."
    return (
        f"{own.file}: {part} is {word}, which leads to {outside}. A search looks for images in "
        f"data.path={places.root} alone: put {own.file.name} beside the images, and name that "
        "folder."
    )


def _of_list(file: Path, places: Places, faults: Faults) -> Iterator[Path]:
    """The image of each line."""
    for number, line in enumerate(read_text(file).splitlines(), 1):
        if not line.strip():
            continue
        way = places.find(line, file.parent)
        if way is None:
            faults.note("missing", f"{file}, line {number}: there is no image {line.strip()}.")
        else:
            yield way


def _label_file(image: Path, root: Path, texts: Container[Path]) -> Path | None:
    """`labels/a.txt` of `images/a.jpg`, with the last folder of that name, or the one beside it."""
    place = image.relative_to(root).with_suffix(".txt").parts
    if IMAGES in place[:-1]:
        last = len(place) - 2 - place[-2::-1].index(IMAGES)
        file = root.joinpath(*place[:last], LABELS, *place[last + 1 :])
        if file in texts:
            return file
    beside = image.with_suffix(".txt")
    return beside if beside in texts else None


def _note_unused(
    own: YoloSet,
    images: list[Path],
    texts: set[Path],
    labels: dict[Path, Path | None],
    faults: Faults,
) -> None:
    """Notes images in no part and label files without image, where there are label files."""
    used = {file for file in labels.values() if file is not None}
    if not used:
        raise DataError(
            f"No image that {own.file} is for has a label file. Labels of images/a.jpg are "
            "expected in labels/a.txt, or beside it in images/a.txt."
        )
    for image in images:
        if image not in labels:
            faults.note("unlisted", str(image))
    folders = {file.parent for file in used}
    for file in sorted(texts - used - {own.file}):
        if file.parent in folders and file.stem.lower() not in PARTS:
            faults.note("no_image", str(file))


def _labelled(image: Path, file: Path | None, own: YoloSet, faults: Faults) -> Labelled | None:
    """An image and its boxes; None: its labels were noted as faults."""
    if file is None:
        faults.note("background", str(image))
        return Labelled(image, (), in_shares=True)
    try:
        lines = read_text(file).splitlines()
    except DataError as error:
        faults.note("unreadable", str(error))
        return None
    boxes: list[LabelledBox] = []
    are_good = True
    for number, line in enumerate(lines, 1):
        try:
            boxes += _boxes(line.split(), f"line {number}", own)
        except LookupError as error:
            faults.note("unknown", f"{file}, line {number}: {error.args[0]}.")
            are_good = False
        except ValueError as error:
            faults.note("unreadable", f"{file}, line {number}: {error}.")
            are_good = False
    return Labelled(image, boxes, file, in_shares=True) if are_good else None


def _boxes(fields: list[str], place: str, own: YoloSet) -> Iterator[LabelledBox]:
    """The box of a line, or the one round its polygon.

    Raises:
        ValueError: It is neither.
        LookupError: It is of an unknown class.
    """
    if not fields:
        return
    label, *values = map(finite, fields)
    if own.has_keypoints:
        values = values[:BOX]
    if len(values) != BOX and (len(values) < FEWEST_OF_A_POLYGON or len(values) % 2):
        raise ValueError(
            f"a box has a class and {BOX} numbers, a polygon an even number from "
            f"{FEWEST_OF_A_POLYGON}, and this line has {len(values)}"
        )
    if max(map(abs, values)) > FURTHEST:
        raise ValueError(
            "numbers are shares of the image's sides, 0 to 1, and this has "
            f"{max(values, key=abs):g}"
        )
    if label not in range(len(own.classes)):
        raise LookupError(f"class {label:g}, and {own.file.name} has 0 to {len(own.classes) - 1}")
    name = own.classes[int(label)]
    if len(values) == BOX:
        x, y, width, height = values
        left, top = x - width / 2, y - height / 2
        yield LabelledBox(name, left, top, left + width, top + height, place)
    else:
        yield box_round(name, values, place)
