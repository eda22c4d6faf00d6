"""Small folders of labelled images, as tools write them."""

from pathlib import Path

from PIL import Image

from evonas.data.dataset import Source
from evonas.data.detection import read_detection
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


def xml(boxes: list[tuple[float, ...]], filename: str = "", size: str | None = None) -> str:
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
        paint(root / "JPEGImages" / f"{number:02}.png", 10 * number)
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
