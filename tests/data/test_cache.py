import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evonas.data import load_data
from evonas.data.cache import data_key
from evonas.errors import DataError, UnknownName
from evonas.settings import DataSettings


@pytest.fixture
def decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own; the place of decoded images in it."""
    monkeypatch.setenv("EVONAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "data"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two classes of five grey images."""
    for label, name in enumerate(("a", "b")):
        (tmp_path / "images" / name).mkdir(parents=True)
        for index in range(5):
            paint(tmp_path / "images" / name / f"{index}.png", 10 * label + index)
    return tmp_path / "images"


def paint(file: Path, shade: int) -> None:
    Image.new("L", (4, 4), shade).save(file)


def shades(images: Path, resolution_px: int = 4) -> set[int]:
    dataset = load_data(DataSettings(name="folder", path=images), resolution_px)
    parts = (dataset.train, dataset.validation, dataset.test)
    return {int(shade) for part in parts for shade in part.images[:, 0, 0, 0]}


def written(decoded: Path) -> set[tuple[str, int]]:
    return {(str(file), file.stat().st_ino) for file in decoded.rglob("*.*")}


def test_images_are_decoded_once_for_each_resolution(decoded: Path, images: Path) -> None:
    first = shades(images)
    before = written(decoded)
    assert shades(images) == first == {0, 1, 2, 3, 4, 10, 11, 12, 13, 14}
    assert written(decoded) == before
    assert shades(images, resolution_px=2) == first
    assert written(decoded) > before


def test_a_changed_image_is_read_again(decoded: Path, images: Path) -> None:
    shades(images)
    file = images / "a" / "0.png"
    was = file.stat()
    paint(file, 99)
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns + 1))
    assert shades(images) == {99, 1, 2, 3, 4, 10, 11, 12, 13, 14}


@pytest.mark.parametrize("change", ["add", "remove", "rename"])
def test_a_changed_listing_is_read_again(decoded: Path, images: Path, change: str) -> None:
    settings = DataSettings(name="folder", path=images)
    key, before = data_key(settings), shades(images)
    file = images / "b" / "4.png"
    if change == "add":
        paint(images / "b" / "5.png", 15)
    elif change == "remove":
        file.unlink()
    else:
        file.rename(images / "a" / "5.png")
    assert data_key(settings) != key
    assert shades(images) == before ^ {"add": {15}, "remove": {14}, "rename": set()}[change]


def test_the_key_follows_the_split_and_nothing_else(images: Path) -> None:
    settings = DataSettings(name="folder", path=images)
    assert data_key(settings) == data_key(settings.model_copy())
    variants = [{"validation_share": 0.5}, {"subset": 5}, {"name": "digits", "path": None}]
    keys = {data_key(settings.model_copy(update=change)) for change in variants}
    assert len(keys | {data_key(settings)}) == 4


def test_a_half_written_folder_is_replaced(decoded: Path, images: Path) -> None:
    shades(images)
    (folder,) = decoded.iterdir()
    (folder / "source.json").unlink()
    (folder / "development_images.npy").write_bytes(b"half")
    assert 14 in shades(images)
    assert list(decoded.iterdir()) == [folder]


def test_a_test_part_survives_the_cache(decoded: Path, images: Path, tmp_path: Path) -> None:
    divided = tmp_path / "divided"
    divided.mkdir()
    for part in ("train", "test"):
        (divided / part).symlink_to(images)
    settings = DataSettings(name="folder", path=divided)
    for _ in range(2):
        assert len(load_data(settings, 4).test) == 10


def test_a_set_that_cannot_be_read_leaves_nothing_behind(decoded: Path, images: Path) -> None:
    (images / "a" / "0.png").write_text("no image")
    for _ in range(2):
        with pytest.raises(DataError):
            shades(images)
    assert list(decoded.iterdir()) == []


def test_an_unknown_data_set_is_told(decoded: Path) -> None:
    with pytest.raises(UnknownName, match=r'no data set called "digit"\. Did you mean "digits"'):
        load_data(DataSettings(name="digit"), 4)


READ = """
import sys
from evonas.data import load_data
from evonas.settings import DataSettings
print("ready", flush=True)
sys.stdin.readline()
dataset = load_data(DataSettings(name="folder", path=sys.argv[1]), 64)
print(dataset.train.images.sum(), len(dataset.train))
"""


def test_two_processes_at_once_read_the_same(decoded: Path, images: Path) -> None:
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READ, str(images)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
    for reader in readers:
        assert reader.stdin is not None
        reader.stdin.write("go\n")
        reader.stdin.flush()
    answers = [reader.communicate()[0] for reader in readers]
    assert [reader.returncode for reader in readers] == [0, 0]
    own = load_data(DataSettings(name="folder", path=images), 64).train
    assert answers == [f"{own.images.sum(dtype=np.uint64)} {len(own)}\n"] * 2
    assert len(list(decoded.iterdir())) == 1
