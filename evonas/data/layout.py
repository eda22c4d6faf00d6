"""Which files of a folder are images, and of which class and part of the split."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evonas.data.walk import Walk, walk
from evonas.errors import DataError

SUFFIXES = (
    ".bmp",
    ".gif",
    ".jfif",
    ".jpe",
    ".jpeg",
    ".jpg",
    ".png",
    ".tif",
    ".tiff",
    ".webp",
)
PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
NAMED = 3  # of what was left out, before the rest is only counted

Files = tuple[tuple[Path, ...], ...]  # of each class


@dataclass(frozen=True)
class Layout:
    """The image files of each class in each part; `roots` are the parts' folders.

    `left_out` says in words which files and folders are not among them, and why.
    """

    classes: tuple[str, ...]
    roots: Mapping[str, Path]
    files: Mapping[str, Files]
    left_out: tuple[str, ...]


def lay_out(root: Path) -> Layout:
    """`DIR/CLASS/*.png`, or `DIR/train/CLASS/...` with parts for validation and test beside it.

    Raises:
        DataError: There are no classes, a part is there twice, or has classes of its own.
    """
    found = walk(root)
    images = [file for file in found.files if is_image_name(file)]
    folders = _folders(root, found)
    roots = _parts(root, folders, images)
    classes = _classes(roots["train"], found)
    files = {part: _files(part_root, classes, found) for part, part_root in roots.items()}
    used = {file for part in files.values() for own in part for file in own}
    return Layout(classes, roots, files, tuple(_left_out(root, found, roots, used)))


def is_image_name(file: Path) -> bool:
    """True of the suffixes of images, and of none: whether that is an image shows its content."""
    return file.suffix.lower() in (*SUFFIXES, "")


def class_name(folder: str) -> str:
    """Of a folder's name, which systems write in different Unicode forms."""
    return unicodedata.normalize("NFC", folder)


def _folders(root: Path, found: Walk) -> list[str]:
    """Folders in `root`, but for those in which there is nothing but what evonas wrote."""
    written = {path.relative_to(root).parts[0] for path in found.written if root in path.parents}
    written -= {file.relative_to(root).parts[0] for file in found.files if root in file.parents}
    passed_by = {path for path in found.hidden if path.parent == root}
    names = [entry.name for entry in root.iterdir() if entry.is_dir() and entry not in passed_by]
    return sorted(name for name in names if name not in written)


def _parts(root: Path, folders: list[str], images: Iterable[Path]) -> dict[str, Path]:
    """The folder of each part; `root` itself is that of training where it is not divided.

    It is divided if a folder for training has one for another part beside it, or nothing else.
    """
    named: dict[str, list[str]] = defaultdict(list)
    for name in folders:
        if name.lower() in PARTS:
            named[PARTS[name.lower()]].append(name)
    with_images = {file.relative_to(root).parts[0] for file in images}
    others = [name for name in folders if name.lower() not in PARTS and name in with_images]
    if "train" not in named or (len(named) == 1 and others):
        if len(named) > 1 and not others:
            raise DataError(
                f"{root} has folders for parts of a split ({', '.join(folders)}) "
                "and none to train on. Call that train."
            )
        return {"train": root}
    twice = [
        f"{' and '.join(names)} are both for {part}" for part, names in named.items() if names[1:]
    ]
    if twice:
        raise DataError(f"{root}: {'; '.join(twice)}. Keep one of them.")
    return {part: root / names[0] for part, names in named.items()}


def _classes(root: Path, found: Walk) -> tuple[str, ...]:
    names = sorted({class_name(name) for name in _folders(root, found)})
    if len(names) < 2:
        raise DataError(
            f"{root} has {len(names)} folders of classes, and a classification needs two or more."
        )
    return tuple(names)


def _files(root: Path, classes: tuple[str, ...], found: Walk) -> Files:
    """The image files of each class below a part's folder."""
    strange = {class_name(name) for name in _folders(root, found)} - set(classes)
    if strange:
        names = ", ".join(sorted(strange))
        raise DataError(f"{root} has classes that train has not: {names}.")
    own: dict[str, list[Path]] = {name: [] for name in classes}
    depth = len(root.parts)
    for file in found.files:
        if root in file.parents and len(file.parts) > depth + 1 and is_image_name(file):
            own[class_name(file.parts[depth])].append(file)
    return tuple(tuple(own[name]) for name in classes)


def _left_out(root: Path, found: Walk, roots: Mapping[str, Path], used: set[Path]) -> Iterator[str]:
    if found.hidden:
        yield f"{len(found.hidden):,} hidden"
    suffixes = Counter(file.suffix.lower() for file in found.files if not is_image_name(file))
    if suffixes:
        names = [suffix for suffix, _ in suffixes.most_common()]
        yield f"{suffixes.total():,} by suffix ({some(names)})"
    loose = [file for file in found.files if is_image_name(file) and file not in used]
    inside = [file for file in loose if any(part in file.parents for part in roots.values())]
    beside = [file for file in loose if file not in set(inside)]
    folders = sorted({file.relative_to(root).parts[0] for file in beside if file.parent != root})
    single = len(inside) + sum(file.parent == root for file in beside)
    if single:
        yield f"{single:,} in no folder of a class"
    if folders:
        yield f"{some(folders)} beside the parts of the split"
    if found.written:
        written = [str(path.relative_to(root)) for path in found.written]
        yield f"{some(written)} that evonas wrote"


def some(names: list[str]) -> str:
    """The first of them, and how many more there are."""
    rest = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + rest


def first(problems: Sequence[str], count: int) -> Iterator[str]:
    """Those of so many problems that are spelled out, and how many more there are."""
    yield from problems
    if more := count - len(problems):
        yield f"... and {more:,} more like these."
