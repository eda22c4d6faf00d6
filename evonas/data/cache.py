"""Decoded images on disk, so that a data set is read once and shared by all workers."""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np

from evonas.cache_folder import cache_folder
from evonas.data.dataset import Dataset, Source, Split, split_source
from evonas.data.readers import DATA_SETS
from evonas.key import key_of
from evonas.registry import pick
from evonas.settings import DataSettings

FORMAT = 1


def load_data(settings: DataSettings, resolution_px: int) -> Dataset:
    """The data set at a resolution, split as the settings say.

    Raises:
        DataError: The set is missing, empty or damaged.
    """
    source = _load_source(settings, resolution_px)
    return split_source(source, settings.validation_share, settings.subset)


def data_key(settings: DataSettings) -> str:
    """Changes when the images, their split or the reader change."""
    return key_of([_content_key(settings), settings.validation_share, settings.subset])


def _load_source(settings: DataSettings, resolution_px: int) -> Source:
    folder = cache_folder("data") / f"{_content_key(settings)}-{resolution_px}"
    if not (folder / "source.json").exists():
        read = pick(DATA_SETS, settings.name, "data set")
        _write(folder, read(settings.path, resolution_px))
    return _read(folder)


def _content_key(settings: DataSettings) -> str:
    """Names, sizes and times of all files: touching the data makes it be read again."""
    listing = []
    if settings.path is not None and settings.path.is_dir():
        root = settings.path.resolve()
        listing = [str(root)]
        for file in sorted(root.rglob("*")):
            status = file.stat()
            listing.append(f"{file.relative_to(root)} {status.st_size} {status.st_mtime_ns}")
    return key_of([FORMAT, settings.name, listing])


def _write(folder: Path, source: Source) -> None:
    """Writes beside the place and moves there: two processes at once do no harm."""
    temporary = Path(tempfile.mkdtemp(dir=folder.parent))
    for name, split in (("development", source.development), ("test", source.test)):
        if split is not None:
            np.save(temporary / f"{name}_images.npy", split.images)
            np.save(temporary / f"{name}_labels.npy", split.labels)
    (temporary / "source.json").write_text(json.dumps({"classes": source.classes}))
    try:
        temporary.rename(folder)
    except OSError:  # another process was first, or an old half is in the way
        if not (folder / "source.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
            temporary.rename(folder)
        else:
            shutil.rmtree(temporary)


def _read(folder: Path) -> Source:
    classes = tuple(json.loads((folder / "source.json").read_text())["classes"])
    has_test = (folder / "test_labels.npy").exists()
    return Source(
        classes,
        _read_split(folder, "development"),
        _read_split(folder, "test") if has_test else None,
    )


def _read_split(folder: Path, name: str) -> Split:
    images = np.load(folder / f"{name}_images.npy", mmap_mode="r", allow_pickle=False)
    return Split(images, np.load(folder / f"{name}_labels.npy", allow_pickle=False))
