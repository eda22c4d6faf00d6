"""MNIST and Fashion-MNIST, whose files have the same names and form."""

from collections.abc import Sequence
from pathlib import Path

from evonas.data.arrays import Pairs, source_of
from evonas.data.data_files import each, given_folder
from evonas.data.dataset import Source
from evonas.data.idx import IMAGES, LABELS, read_idx
from evonas.errors import DataError
from evonas.settings import DataSettings

DIGITS = tuple("0123456789")
FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
HOLDS = "train-images-idx3-ubyte, train-labels-idx1-ubyte and the same of t10k, each .gz or not"


def read_mnist(settings: DataSettings, resolution_px: int) -> Source:
    """60,000 and 10,000 handwritten digits of 28x28: four idx files in a folder.

    Raises:
        DataError: Files are missing, damaged or do not fit together; all are named.
    """
    return _read(settings, resolution_px, DIGITS)


def read_fashion_mnist(settings: DataSettings, resolution_px: int) -> Source:
    """60,000 and 10,000 pictures of clothes, 28x28: arXiv 1708.07747. Files as MNIST's.

    Raises:
        DataError: Files are missing, damaged or do not fit together; all are named.
    """
    return _read(settings, resolution_px, FASHION)


def _read(settings: DataSettings, resolution_px: int, classes: Sequence[str]) -> Source:
    folder = given_folder(settings, HOLDS)
    kinds = [
        (part, kind, count)
        for part in ("train", "t10k")
        for kind, count in (("images", IMAGES), ("labels", LABELS))
    ]
    files = each(lambda kind: _file(folder, *kind), kinds)
    items = [(file, kind[2]) for file, kind in zip(files, kinds, strict=True)]
    arrays = each(lambda item: read_idx(*item), items)
    places = [str(file) for file in files]
    train = Pairs(arrays[0], arrays[1], places[0], places[1])
    test = Pairs(arrays[2], arrays[3], places[2], places[3])
    return source_of(classes, train, test, resolution_px)


def _file(folder: Path, part: str, kind: str, dimensions: int) -> Path:
    for joint in ("-", "."):  # some copies write train-images.idx3-ubyte
        for ending in ("", ".gz"):
            file = folder / f"{part}-{kind}{joint}idx{dimensions}-ubyte{ending}"
            if file.is_file():
                return file
    raise DataError(f"{folder}/{part}-{kind}-idx{dimensions}-ubyte or that with .gz is missing.")
