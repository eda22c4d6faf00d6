"""Small folders of labelled images, as tools write them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from evonas.data.dataset import Source
from evonas.data.detection import read_detection
from evonas.errors import DataError
from evonas.settings import DataSettings

WIDTH, HEIGHT = 40, 20  # of pictures, unless a test says otherwise
CLASSES = ("cat", "dog")
# Class number and px of the boxes in the image of each number; others repeat these.
BOXES = [
    [(0, 4, 2, 14, 12)],
    [(1, 10, 5, 30, 15), (0, 0, 0, 8, 8)],
    [],
]


def paint(file: Path, level: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, level).save(file)
    return file


def xml(boxes: list[tuple[Any, ...]], filename: str = "", size: str | None = None) -> str:
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>" if size is None else size
    objects = "\n".join(
        f"<object><name>{CLASSES[int(label)]}</name><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin>"
        f"<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
        for label, x1, y1, x2, y2 in boxes
    )
    return f"<annotation>\n<filename>{filename}</filename>{size}\n{objects}\n</annotation>\n"


def write_voc(root: Path, images: int = 30) -> Path:
    """Without lists, so that parts are set aside."""
    (root / "Annotations").mkdir(parents=True)
    for number in range(images):
        paint(root / "JPEGImages" / f"{number:02}.png", 5 * number)
        (root / "Annotations" / f"{number:02}.xml").write_text(xml(BOXES[number % 3]))
    return root


def write_lists(root: Path, **lists: list[int]) -> None:
    folder = root / "ImageSets" / "Main"
    folder.mkdir(parents=True)
    for name, numbers in lists.items():
        (folder / f"{name}.txt").write_text("".join(f"{number:02}\n" for number in numbers))


def read(root: Path, resolution_px: int = 40, **changes: object) -> Source:
    settings = DataSettings.model_validate({"name": "detection", "path": str(root), **changes})
    return read_detection(settings, resolution_px)


def yolo(boxes: list[tuple[float, ...]], size: tuple[int, int] = (WIDTH, HEIGHT)) -> str:
    return "".join(
        f"{label} {(x1 + x2) / 2 / size[0]} {(y1 + y2) / 2 / size[1]} "
        f"{(x2 - x1) / size[0]} {(y2 - y1) / size[1]}\n"
        for label, x1, y1, x2, y2 in boxes
    )


def write_yolo(root: Path, yaml: str = "", **parts: int) -> Path:
    """Images in `images/PART` and labels beside them; without parts 30 to train on."""
    count = 0
    for part, images in (parts or {"train": 30}).items():
        (root / "labels" / part).mkdir(parents=True)
        for number in range(count, count + images):
            paint(root / "images" / part / f"{number:02}.png", 5 * number)
            text = yolo(BOXES[number % 3])
            (root / "labels" / part / f"{number:02}.txt").write_text(text)
        count += images
    entries = "".join(f"{part}: images/{part}\n" for part in parts or ["train"])
    (root / "data.yaml").write_text(yaml or f"names: [cat, dog]\nnc: 2\n{entries}")
    return root


def coco(numbers: Iterable[int]) -> dict[str, Any]:
    """The lists of COCO for the images of these numbers."""
    numbers = list(numbers)
    boxes = [(number, box) for number in numbers for box in BOXES[number % 3]]
    return {
        "info": {},
        "categories": [{"id": 1, "name": "cat"}, {"id": 3, "name": "dog"}],
        "images": [
            {"id": number, "file_name": f"{number:02}.png", "width": WIDTH, "height": HEIGHT}
            for number in numbers
        ],
        "annotations": [
            {
                "id": index,
                "image_id": number,
                "category_id": (1, 3)[int(label)],
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "iscrowd": 0,
            }
            for index, (number, (label, x1, y1, x2, y2)) in enumerate(boxes)
        ],
    }


def write_coco(root: Path, document: dict[str, Any] | None = None, images: int = 30) -> Path:
    """One file for all images."""
    for number in range(images):
        paint(root / "images" / f"{number:02}.png", 5 * number)
    (root / "annotations").mkdir()
    content = json.dumps(document or coco(range(images)))
    (root / "annotations" / "instances_all.json").write_text(content)
    return root


def faults(source: Source) -> dict[str, int]:
    """How often each kind of fault was told."""
    return {fault.kind: fault.count for fault in source.faults}


def problems(root: Path, **changes: object) -> list[str]:
    """What a reading refuses."""
    with pytest.raises(DataError) as failure:
        read(root, **changes)
    return failure.value.problems
