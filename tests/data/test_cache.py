import errno
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evonas.data.cache import data_key, load_data
from evonas.data.dataset import Source
from evonas.data.readers import DATA_SETS
from evonas.errors import DataError, FileError
from evonas.settings import DataSettings, SyntheticSettings


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


READ = """
import sys
from evonas.data import image_folder as folder
from evonas.data.cache import load_data
from evonas.settings import DataSettings
print("ready", flush=True)
sys.stdin.readline()
read_image = folder.read_image
def told(image, *given):
    print("decoding", end=" ", file=sys.stderr)
    return read_image(image, *given)
folder.read_image = told
dataset = load_data(DataSettings(name="folder", path=sys.argv[1]), 64)
print(dataset.train.images.sum(), len(dataset.train))
"""


@pytest.mark.parametrize("part", ["images", "split"])
@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "remove", "facts", "no facts"])
def test_a_damaged_cache_is_noticed_and_made_again(
    decoded: Path, images: Path, part: str, damage: str
) -> None:
    before = shades(images)
    (folder,) = decoded.iterdir()
    (place,) = folder.glob(f"{part}*")
    if part == "images":
        (split,) = folder.glob("split*")
        shutil.rmtree(split)  # else nobody looks at the images
    file = next(place.glob("contents.json" if "facts" in damage else "*_images.npy"))
    content = file.read_bytes()
    if damage in ("remove", "no facts"):
        file.unlink()
    elif damage == "facts":
        file.write_bytes(content.replace(b'"a"', b'"x"'))
    elif damage == "flip":
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    else:
        file.write_bytes(content[: len(content) // 2] if damage == "truncate" else b"")
    assert shades(images) == before
    assert file.read_bytes() == content


def test_parts_are_mapped_files_that_a_process_cannot_change_for_others(
    decoded: Path, images: Path
) -> None:
    settings = DataSettings(name="folder", path=images)
    train = load_data(settings, 4).train
    assert isinstance(train.images, np.memmap)
    assert train.images.flags.writeable
    was = train.images.copy()
    train.images[:] = 77
    assert np.array_equal(load_data(settings, 4).train.images, was)


def test_images_are_decoded_once_for_all_splits(
    decoded: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = DataSettings(name="folder", path=images)
    load_data(settings, 4)
    monkeypatch.setitem(DATA_SETS, "folder", replace(DATA_SETS["folder"], read=never))
    load_data(settings, 4)
    other = load_data(settings.model_copy(update={"validation_share": 0.8}), 4)
    assert len(other.validation) > len(other.train)


def never(settings: DataSettings, resolution_px: int) -> Source:
    raise AssertionError("the images were decoded before")


def test_statistics_are_kept_as_they_were_computed(decoded: Path, images: Path) -> None:
    settings = DataSettings(name="folder", path=images)
    first, second = load_data(settings, 4), load_data(settings, 4)
    assert first.problem == second.problem
    assert first.problem.mean == pytest.approx([first.train.images.mean() / 255])
    assert first.problem.deviation == pytest.approx([first.train.images.std() / 255])


def test_a_cache_that_cannot_be_written_is_told_with_its_place(
    decoded: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(FileError, match=r"cannot be kept in .*: No space left.*EVONAS_CACHE"):
        shades(images)
    (folder,) = decoded.iterdir()
    assert list(folder.iterdir()) == []


def test_settings_that_a_set_does_not_read_leave_its_key_alone(images: Path) -> None:
    assert data_key(DataSettings(path=images)) == data_key(DataSettings())
    made_up = {"synthetic": SyntheticSettings(seed=3)}
    assert data_key(DataSettings(**made_up)) == data_key(DataSettings())
    assert data_key(DataSettings(name="synthetic", **made_up)) != data_key(
        DataSettings(name="synthetic")
    )


def test_a_changed_file_is_read_again(decoded: Path, tmp_path: Path) -> None:
    file = tmp_path / "set.npz"
    means = []
    for shift in (0, 100):
        levels = np.repeat(np.arange(12, dtype=np.uint8) + shift, 16).reshape(12, 4, 4)
        np.savez(file, images=levels, labels=np.arange(12) % 2)
        os.utime(file, ns=(shift, shift))
        means += load_data(DataSettings(name="npz", path=file), 4).problem.mean
    assert means[1] - means[0] == pytest.approx(100 / 255)


def test_a_link_that_leads_nowhere_is_no_part_of_the_data(decoded: Path, images: Path) -> None:
    (images / "a" / "link").symlink_to(images / "nowhere")
    assert len(shades(images)) == 10


def test_two_processes_at_once_read_the_same(decoded: Path, images: Path) -> None:
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READ, str(images)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
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
    answers, errors = zip(*(reader.communicate() for reader in readers), strict=True)
    assert [reader.returncode for reader in readers] == [0, 0]
    own = load_data(DataSettings(name="folder", path=images), 64).train
    assert list(answers) == [f"{own.images.sum(dtype=np.uint64)} {len(own)}\n"] * 2
    (folder,) = decoded.iterdir()
    assert sorted(part.name.partition("-")[0] for part in folder.iterdir()) == ["images", "split"]
    assert sorted(error.count("decoding") for error in errors) == [0, 10]


def test_images_that_are_all_alike_are_refused(decoded: Path, tmp_path: Path) -> None:
    """Whatever they lie in; one that differs, even the last, is enough."""
    for name in ("a", "b"):
        (tmp_path / "alike" / name).mkdir(parents=True)
        for index in range(4):
            paint(tmp_path / "alike" / name / f"{index}.png", 7)
    levels = np.zeros((9, 4, 4), np.uint8)
    np.savez(tmp_path / "alike.npz", images=levels, labels=np.arange(9) % 2)
    for name, file, count in (("folder", "alike", 8), ("npz", "alike.npz", 9)):
        message = rf"All {count} images of .*/{file} are alike at 4 px: there is nothing to learn"
        with pytest.raises(DataError, match=message):
            load_data(DataSettings(name=name, path=tmp_path / file), 4)
    assert not [file for file in decoded.rglob("*") if file.is_file()]
    paint(tmp_path / "alike" / "b" / "3.png", 8)
    assert shades(tmp_path / "alike") == {7, 8}
