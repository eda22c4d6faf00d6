"""The table of data sets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evonas.data.cifar10 import read_cifar10
from evonas.data.dataset import Source
from evonas.data.detection import left_out_of_detection, may_be_labelled, read_detection
from evonas.data.digits import read_digits
from evonas.data.image_folder import left_out_of_folder, read_folder
from evonas.data.layout import is_image_name
from evonas.data.mnist import read_fashion_mnist, read_mnist
from evonas.data.npz import read_npz
from evonas.data.shapes import read_shapes
from evonas.data.synthetic import read_synthetic
from evonas.settings import DataSettings


def any_file(file: Path) -> bool:
    """True of every file."""
    return True


@dataclass(frozen=True)
class Reader:
    """How a data set is read.

    Args:
        read: Gives all images at a resolution in pixels, or raises an EvonasError.
        description: What the set is, in a line.
        settings: Keys of `DataSettings` that say which images these are; it ignores others.
        reads: Of the files in its folder, those that it may read.
        left_out: What lies in its folder and is not read, in words.
        decoding: Another number when the same files give other images than they did.
        task: What the targets are for: a name in `tasks.TASKS`.
    """

    read: Callable[[DataSettings, int], Source]
    description: str
    settings: tuple[str, ...] = ()
    reads: Callable[[Path], bool] = any_file
    left_out: Callable[[DataSettings], tuple[str, ...]] | None = None
    decoding: int = 0
    task: str = "classification"


DATA_SETS: Mapping[str, Reader] = {
    "digits": Reader(read_digits, "the 1,797 handwritten digits that come along"),
    "folder": Reader(
        read_folder,
        "images in a folder a class: `DIR/cat/*.png`, or so in `DIR/train`, `DIR/val`, `DIR/test`",
        ("path",),
        reads=is_image_name,
        left_out=left_out_of_folder,
        decoding=1,
    ),
    "npz": Reader(
        read_npz,
        "a file FILE.npz with arrays `images` and `labels`, `test_images` and `test_labels` if any",
        ("path",),
    ),
    "cifar10": Reader(
        read_cifar10, "the folder with CIFAR-10's batches, binary or Python", ("path",)
    ),
    "mnist": Reader(read_mnist, "the folder with MNIST's four idx files, `.gz` or not", ("path",)),
    "fashion_mnist": Reader(
        read_fashion_mnist, "the folder with Fashion-MNIST's four idx files", ("path",)
    ),
    "synthetic": Reader(
        read_synthetic, "made up from a seed, as `data.synthetic.*` says", ("synthetic",)
    ),
    "detection": Reader(
        read_detection,
        "images with boxes in a folder, labelled as in YOLO, COCO or Pascal VOC",
        ("path", "format"),
        reads=may_be_labelled,
        left_out=left_out_of_detection,
        task="detection",
    ),
    "shapes": Reader(
        read_shapes,
        "pictures with boxes round shapes, drawn from a seed, as `data.shapes.*` says",
        ("shapes",),
        task="detection",
    ),
}
