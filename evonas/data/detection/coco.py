"""Labels of COCO: JSON files with lists of images, categories and annotations."""

import json
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any

from evonas.data.data_files import read_bytes
from evonas.data.detection.faults import Faults
from evonas.data.detection.label_numbers import finite
from evonas.data.detection.label_records import (
    Labelled,
    LabelledBox,
    Labels,
    box_round,
    part_in,
    part_of,
    size_of,
)
from evonas.data.layout import class_name, is_image_name
from evonas.data.walk import Walk
from evonas.errors import DataError

LISTS = ("images", "annotations", "categories")
MAIN = "instances"  # of several files about the same images, those called so have the boxes


def is_json(file: Path) -> bool:
    """True of the suffix of labels."""
    return file.suffix.lower() == ".json"


def fits_coco(found: Walk) -> bool:
    """True if a JSON file has the three lists."""
    return bool(_files(found))


def _files(found: Walk) -> list[Path]:
    files = []
    for file in filter(is_json, found.files):
        content = file.read_bytes() if file.is_file() else b""
        if all(f'"{name}"'.encode() in content for name in LISTS):
            files.append(file)
    return [file for file in files if file.name.startswith(MAIN)] or files


def read_coco(root: Path, found: Walk, faults: Faults) -> Labels:
    """One file for all images, or one for each part, told by its name or folder.

    Raises:
        DataError: A file is not of that form, or two are for the same part.
    """
    files = _parts(root, _files(found))
    documents = {part: _document(file, faults) for part, file in files.items()}
    names = [name for own in documents.values() for _, name in own.names.items()]
    images = _Images(root, found)
    parts = {part: list(_labelled(part, own, images, faults)) for part, own in documents.items()}
    for image in sorted(images.unused):
        faults.note("unlabelled", str(image))
    return Labels(tuple(dict.fromkeys(names)), parts)


def _parts(root: Path, files: Sequence[Path]) -> dict[str, Path]:
    """The file of each part; a single one is for all images."""
    if len(files) == 1:
        return {"train": files[0]}
    parts: dict[str, Path] = {}
    for file in files:
        part = part_in(file.stem) or part_of(file.relative_to(root))
        if part is None:
            raise DataError(
                f"{file} is one of {len(files)} files of annotations, and its name does not say "
                "for which part: train, val or test."
            )
        if part in parts:
            raise DataError(f"{parts[part]} and {file} are both for {part}. Keep one of them.")
        parts[part] = file
    if "train" not in parts:
        raise DataError(f"{', '.join(map(str, files))}: none is to train on. Call that train.")
    return parts


@dataclass(frozen=True)
class _Document:
    """What a file has: names of classes by id, images with the numbers of their annotations."""

    file: Path
    names: Mapping[Hashable, str]
    images: Mapping[Hashable, Mapping[str, Any]]
    annotations: Mapping[Hashable, Sequence[tuple[int, Mapping[str, Any]]]]


def _document(file: Path, faults: Faults) -> _Document:
    """The records of a file by their ids; notes those that cannot be told apart or used.

    Raises:
        DataError: It is no JSON, or not of that form.
    """
    try:
        values = json.loads(read_bytes(file))
    except (ValueError, RecursionError) as error:
        reason = str(error) or "it is too deep"
        raise DataError(f"{file} is no JSON that can be read: {reason}.") from None
    for name in LISTS:
        if not isinstance(values, dict) or not isinstance(values.get(name), list):
            raise DataError(f"{file} has no list {name}, and COCO's has {', '.join(LISTS)}.")
    images = _by_id(file, "images", values["images"], "file_name", faults)
    names = {
        key: class_name(record["name"])
        for key, record in _by_id(file, "categories", values["categories"], "name", faults).items()
    }
    annotations: dict[Hashable, list[tuple[int, Mapping[str, Any]]]] = defaultdict(list)
    for number, record in enumerate(values["annotations"]):
        key = record.get("image_id") if isinstance(record, dict) else None
        if not _is_id(key) or key not in images:
            text = f"image_id {json.dumps(key)[:20]} is that of no image"
            faults.note("unreadable", f"{file}, annotations[{number}]: {text}.")
        else:
            annotations[key].append((number, record))
    return _Document(file, names, images, annotations)


def _is_id(key: object) -> bool:
    return isinstance(key, int | str)


def _by_id(
    file: Path, name: str, records: Sequence[Any], key: str, faults: Faults
) -> dict[Hashable, Mapping[str, Any]]:
    """The records of a list by id; each has a text under a key."""
    found: dict[Hashable, Mapping[str, Any]] = {}
    for number, record in enumerate(records):
        is_record = isinstance(record, dict) and _is_id(record.get("id"))
        if not is_record or not isinstance(record.get(key), str) or not record[key]:
            problem = f"it needs an id and a {key}"
        elif record["id"] in found:
            problem = f"its id, {record['id']}, is there twice"
        else:
            found[record["id"]] = record
            continue
        faults.note("unreadable", f"{file}, {name}[{number}]: {problem}.")
    return found


class _Images:
    """The image files of a folder by their names."""

    def __init__(self, root: Path, found: Walk) -> None:
        self.root = root
        self.unused = {file for file in found.files if is_image_name(file)}
        self.by_name: dict[str, list[Path]] = defaultdict(list)
        for file in sorted(self.unused):
            self.by_name[file.name].append(file)

    def find(self, word: str, part: str, file: Path) -> Path | None:
        """The image that a file of a part names; of several the nearest one.

        That is the one with the longest way in common, then in a folder of the part, then beside
        the file. None: there is none, or several are as near.
        """
        way = PurePosixPath(word.replace("\\", "/")).parts
        ranked = sorted(
            (
                (
                    _common(way, image.parts),
                    part_of(image.relative_to(self.root)) == part,
                    file.parent in image.parents,
                ),
                image,
            )
            for image in self.by_name.get(way[-1] if way else "", ())
        )
        if not ranked or (len(ranked) > 1 and ranked[-1][0] == ranked[-2][0]):
            return None
        self.unused.discard(ranked[-1][1])
        return ranked[-1][1]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many of the last parts of two ways are the same."""
    pairs = zip(reversed(one), reversed(other), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _labelled(part: str, own: _Document, images: _Images, faults: Faults) -> Iterator[Labelled]:
    """Each image of a file with its boxes, but for those noted as faults."""
    for key, record in own.images.items():
        image = images.find(record["file_name"], part, own.file)
        if image is None:
            faults.note("missing", f"{own.file}: there is no image {record['file_name']}.")
            continue
        boxes: list[LabelledBox] = []
        are_good = True
        for number, annotation in own.annotations.get(key, ()):
            place = f"annotations[{number}]"
            try:
                boxes += _boxes(annotation, place, own, faults)
            except LookupError as error:
                faults.note("unknown", f"{own.file}, {place}: {error.args[0]}.")
                are_good = False
            except ValueError as error:
                faults.note("unreadable", f"{own.file}, {place}: {error}.")
                are_good = False
        if are_good:
            size = size_of(record.get("width"), record.get("height"))
            yield Labelled(image, boxes, own.file, size)


def _boxes(
    annotation: Mapping[str, Any], place: str, own: _Document, faults: Faults
) -> Iterator[LabelledBox]:
    """The box of an annotation, or the one round its polygons; none round a crowd.

    Raises:
        ValueError: It has neither.
        LookupError: It is of an unknown class.
    """
    category = annotation.get("category_id")
    if not _is_id(category) or category not in own.names:
        raise LookupError(f"category_id {json.dumps(category)[:20]} is that of no category")
    if annotation.get("iscrowd") in (1, True):
        faults.note("crowd", f"{own.file}, {place}")
        return
    box, polygons = annotation.get("bbox"), annotation.get("segmentation")
    if isinstance(box, list) and len(box) == 4:
        x, y, width, height = map(finite, box)
        yield LabelledBox(own.names[category], x, y, x + width, y + height, place)
    elif not box and isinstance(polygons, list) and polygons:
        points = [finite(value) for polygon in polygons for value in _listed(polygon)]
        yield box_round(own.names[category], points, place)
    else:
        raise ValueError("it has no bbox of 4 numbers: left, top, width, height")


def _listed(polygon: object) -> list[Any]:
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        raise ValueError("a polygon has an even number of coordinates, 6 or more")
    return polygon
