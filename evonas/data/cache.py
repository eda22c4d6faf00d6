"""Decoded images on disk, so that a data set is read once and shared by all workers."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from evonas.cache_folder import cache_folder
from evonas.data.dataset import Dataset, Fault, Source, Split, split_source
from evonas.data.readers import DATA_SETS, Reader
from evonas.data.store import Stored, stored
from evonas.data.walk import walk
from evonas.errors import DataError
from evonas.key import key_of
from evonas.networks.problem import Problem
from evonas.registry import pick
from evonas.settings import DataSettings

FORMAT = 3
PARTS = ("train", "validation", "test")
TARGETS = "labels"  # in names of files, as they were called at first: so caches stay valid


def load_data(settings: DataSettings, resolution_px: int) -> Dataset:
    """The data set at a resolution, split as the settings say.

    All images and the statistics of a split are files of the user's cache, mapped into memory:
    workers share them.

    Raises:
        UnknownName: There is no such data set.
        DataError: The set is missing, empty or damaged, or the cache cannot be written.
        SettingsError: There are too few synthetic images for their classes.
    """
    reader = pick(DATA_SETS, settings.name, "data set")
    folder = cache_folder("data") / f"{_content_key(settings)}-{resolution_px}"

    def source() -> Source:
        images = folder / "images"
        return _source(stored(images, lambda: _flat(_read(reader, settings, resolution_px))))

    def split() -> Stored:
        shares = settings.validation_share, settings.subset
        return _flat_split(split_source(source(), reader.task, *shares))

    split_key = key_of([settings.validation_share, settings.subset])
    return _dataset(stored(folder / f"split-{split_key}", split), reader.task)


def data_key(settings: DataSettings) -> str:
    """Changes when the images, their split, their weights or the reader change."""
    weights = [settings.class_weights] if settings.class_weights != "none" else []
    return key_of([_content_key(settings), settings.validation_share, settings.subset, *weights])


def left_out(settings: DataSettings, data: Dataset) -> tuple[str, ...]:
    """What lies beside the images of the data set and is none of them, in words."""
    passed_by = pick(DATA_SETS, settings.name, "data set").left_out
    return (*(passed_by(settings) if passed_by else ()), *data.left_out)


def _content_key(settings: DataSettings) -> str:
    reader = pick(DATA_SETS, settings.name, "data set")
    return key_of([FORMAT, settings.name, list(_content(reader, settings))])


def _content(reader: Reader, settings: DataSettings) -> Iterator[Any]:
    """Names, sizes and times of all files: touching the data makes it be read again."""
    if reader.decoding:
        yield reader.decoding
    if "path" in reader.settings and settings.path is not None:
        root = settings.path.resolve()
        yield str(root)
        for file in _files(reader, root):
            with suppress(OSError):  # a link may lead nowhere
                status = file.stat()
                yield f"{file.relative_to(root)} {status.st_size} {status.st_mtime_ns}"
        if settings.skip_damaged and reader.left_out is not None:
            yield "without damaged images"
    if "format" in reader.settings:
        yield settings.format
    if "synthetic" in reader.settings:
        yield settings.synthetic.model_dump()
    if "shapes" in reader.settings:
        yield settings.shapes.model_dump()


def _files(reader: Reader, root: Path) -> list[Path]:
    """Those that images are read from; none that systems or evonas itself wrote."""
    return list(filter(reader.reads, walk(root).files)) if root.is_dir() else [root]


def _read(reader: Reader, settings: DataSettings, resolution_px: int) -> Source:
    source = reader.read(settings, resolution_px)
    images = source.development.images
    if not any((image != images[0]).any() for image in images):
        raise DataError(
            f"All {len(images):,} images of {settings.path or settings.name} are alike at "
            f"{resolution_px} px: there is nothing to learn from them."
        )
    return source


def _flat(source: Source) -> Stored:
    arrays = _arrays("development", source.development)
    if source.test is not None:
        arrays |= _arrays("test", source.test)
    if source.validation is not None:
        arrays |= _arrays("validation", source.validation)
    return Stored({"classes": source.classes, **_remarks(source)}, arrays)


def _source(found: Stored) -> Source:
    test, validation = (
        _part(name, found) if f"{name}_{TARGETS}" in found.arrays else None
        for name in ("test", "validation")
    )
    development = _part("development", found)
    classes = tuple(found.facts["classes"])
    return Source(classes, development, test, validation, *_remarked(found.facts))


def _flat_split(data: Dataset) -> Stored:
    facts = {name: getattr(data.problem, name) for name in ("classes", "mean", "deviation")}
    facts |= _remarks(data)
    arrays: dict[str, NDArray[Any]] = {}
    for name in PARTS:
        arrays |= _arrays(name, getattr(data, name))
    return Stored(facts, arrays)


def _dataset(found: Stored, task: str) -> Dataset:
    train, validation, test = (_part(name, found) for name in PARTS)
    values = (tuple(found.facts[name]) for name in ("classes", "mean", "deviation"))
    problem = Problem(task, train.images.shape[1], *values)
    return Dataset(problem, train, validation, test, *_remarked(found.facts), found.content)


def _remarks(read: Source | Dataset) -> dict[str, Any]:
    """What there is to say of a data set beside its images; of faults nothing where none are."""
    faults = [[fault.kind, fault.count, fault.places] for fault in read.faults]
    return {"left_out": read.left_out, **({"faults": faults} if faults else {})}


def _remarked(facts: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[Fault, ...]]:
    faults = (Fault(kind, count, tuple(places)) for kind, count, places in facts.get("faults", ()))
    return tuple(facts.get("left_out", ())), tuple(faults)


def _arrays(name: str, split: Split) -> dict[str, NDArray[Any]]:
    arrays = {f"{name}_images": split.images, f"{name}_{TARGETS}": split.targets}
    return arrays if split.groups is None else {**arrays, f"{name}_groups": split.groups}


def _part(name: str, found: Stored) -> Split:
    images, targets = (found.arrays[f"{name}_{kind}"] for kind in ("images", TARGETS))
    return Split(images, targets, found.arrays.get(f"{name}_groups"))
