"""What of a folder are images, of which class and part; what is left out, and that it is told."""

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from conftest import problems_of
from PIL import Image

from evonas.cache_folder import cache_folder
from evonas.data.cache import data_key, left_out, load_data
from evonas.data.dataset import Dataset
from evonas.data.layout import Layout, lay_out
from evonas.errors import DataError
from evonas.reports.data import data_lines
from evonas.settings import DataSettings


def paint(folder: Path, count: int = 3, suffix: str = ".png", first: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(first, first + count):
        shade = (sum(map(ord, folder.name)) * 37 + index * 11) % 256
        Image.new("L", (4, 4), shade).save(folder / f"{index}{suffix}", format="PNG")


def divided(root: Path, *parts: str, classes: tuple[str, ...] = ("a", "b")) -> None:
    for part in parts:
        for name in classes:
            paint(root / part / name)


def sizes(layout: Layout) -> dict[str, list[int]]:
    return {part: [len(own) for own in files] for part, files in layout.files.items()}


def of(folder: Path, **words: object) -> DataSettings:
    return DataSettings(name="folder", path=folder, **words)  # type: ignore[arg-type]


def read(folder: Path, **words: object) -> Dataset:
    return load_data(of(folder, **words), 4)


@pytest.mark.parametrize(
    ("folders", "parts"),
    [
        (["train", "val"], ["train", "validation"]),
        (["train", "valid"], ["train", "validation"]),
        (["Train", "Validation", "TEST"], ["train", "validation", "test"]),
        (["training", "testing"], ["train", "test"]),
        (["train", "val", "test"], ["train", "validation", "test"]),
        (["TRAIN"], ["train"]),
    ],
)
def test_known_names_of_parts_are_parts(
    tmp_path: Path, folders: list[str], parts: list[str]
) -> None:
    divided(tmp_path, *folders)
    layout = lay_out(tmp_path)
    assert layout.classes == ("a", "b")
    assert sizes(layout) == {part: [3, 3] for part in parts}
    assert layout.left_out == ()


@pytest.mark.parametrize("names", [["train", "car"], ["valid", "invalid"], ["test", "control"]])
def test_a_name_of_a_part_among_classes_is_a_class(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        paint(tmp_path / name)
    assert lay_out(tmp_path).classes == tuple(sorted(names))


def test_a_validation_folder_is_the_validation_part(tmp_path: Path) -> None:
    for name in ("a", "b"):
        paint(tmp_path / "train" / name, 5)
        paint(tmp_path / "val" / name, 2, first=100)
    data = read(tmp_path)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [8, 4, 2]
    expected = {np.asarray(Image.open(file))[0, 0] for file in tmp_path.glob("val/*/*")}
    assert set(data.validation.images[:, 0, 0, 0]) == expected


def test_all_three_folders_are_taken_as_they_are_and_classes_may_be_small(tmp_path: Path) -> None:
    for part, count in (("train", 1), ("valid", 1), ("test", 2)):
        for name in ("a", "b"):
            paint(tmp_path / part / name, count)
    data = read(tmp_path)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [2, 2, 4]


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["train", "val", "validation"], "val and validation are both for validation. Keep one"),
        (["Train", "train", "test"], "Train and train are both for train. Keep one"),
        (["val", "test"], "parts of a split (test, val) and none to train on. Call that train."),
    ],
)
def test_parts_that_are_there_twice_or_have_nothing_to_train_on_are_refused(
    tmp_path: Path, folders: list[str], message: str
) -> None:
    divided(tmp_path, *folders)
    assert message in "\n".join(problems_of(lay_out, tmp_path))


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_part_that_misses_a_class_or_has_others_is_refused(tmp_path: Path, part: str) -> None:
    divided(tmp_path, "train", part)
    paint(tmp_path / part / "c")
    with pytest.raises(DataError, match=rf"{part} has classes that train has not: c\."):
        read(tmp_path)
    (tmp_path / part / "c").rename(tmp_path / "train" / "c")
    with pytest.raises(DataError, match=rf"{part}/c has 0 images, and a class needs 1 or more\."):
        read(tmp_path)


LITTER = ["a/._0.png", ".hidden/1.png", "a/.ipynb_checkpoints/0-checkpoint.png", ".DS_Store"]
LITTER += ["__MACOSX/a/0.png", "a/deeper/Thumbs.db", "b/desktop.ini", "@eaDir/0.jpg"]


@pytest.mark.parametrize("part", ["", "train", "val"])
def test_what_systems_leave_beside_images_is_passed_by_at_every_depth(
    tmp_path: Path, part: str
) -> None:
    divided(tmp_path, *(["train", "val"] if part else [""]))
    before, key = lay_out(tmp_path), data_key(of(tmp_path))
    for name in LITTER:
        (tmp_path / part / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / part / name).write_bytes(b"no image")
    after = lay_out(tmp_path)
    assert (after.classes, after.files) == (before.classes, before.files)
    assert after.left_out == (f"{len(LITTER)} hidden",)
    assert data_key(of(tmp_path)) == key


@pytest.mark.parametrize("suffix", [".jfif", "", ".JPE", ".JFIF"])
def test_images_of_rarer_suffixes_and_without_one_are_read(tmp_path: Path, suffix: str) -> None:
    divided(tmp_path, "")
    paint(tmp_path / "a", 2, suffix, first=10)
    data = read(tmp_path)
    assert len(data.development) + len(data.test) == 8
    assert left_out(of(tmp_path), data) == ()


def test_files_without_suffix_that_are_no_images_are_left_out_with_a_word(tmp_path: Path) -> None:
    divided(tmp_path, "")
    (tmp_path / "a" / "LICENSE").write_text("all rights reserved")
    data = read(tmp_path)
    assert left_out(of(tmp_path), data) == ("1 without suffix that are no images",)


def test_what_is_left_out_is_told_with_its_reason(tmp_path: Path) -> None:
    divided(tmp_path, "train", "test")
    paint(tmp_path / "extra")
    paint(tmp_path / "train", 2)
    for name in ("train/a/labels.json", "notes.txt", "test/a/1.json"):
        (tmp_path / name).write_text("{}")
    assert lay_out(tmp_path).left_out == (
        "3 by suffix (.json, .txt)",
        "2 in no folder of a class",
        "extra beside the parts of the split",
    )


@pytest.mark.parametrize("damage", ["half", "text", "empty"])
def test_damaged_images_are_refused_by_name_or_left_out_and_counted(
    tmp_path: Path, damage: str
) -> None:
    divided(tmp_path, "", classes=("a", "b"))
    paint(tmp_path / "b", 4)
    file = tmp_path / "b" / "2.png"
    whole = file.read_bytes()
    file.write_bytes({"half": whole[:-30], "text": b"no image", "empty": b""}[damage])
    named, hint = problems_of(read, tmp_path)
    assert named.startswith(f"{file} is no image that can be read: ")
    assert hint == "Leave damaged images out by data.skip_damaged=true."
    for _ in range(2):  # the second time from the cache
        data = read(tmp_path, skip_damaged=True)
        assert len(data.development) + len(data.test) == 6
        assert data.left_out == ("1 damaged (2.png)",)


def test_a_class_that_is_too_small_without_its_damaged_images_is_refused(tmp_path: Path) -> None:
    divided(tmp_path, "")
    (tmp_path / "a" / "0.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"a has 2 images, and a class needs 3 or more\."):
        read(tmp_path, skip_damaged=True)


@pytest.mark.parametrize("name", ["café", "Ångström", "n\u0303o"])
def test_names_in_different_unicode_forms_are_one_class(tmp_path: Path, name: str) -> None:
    composed, apart = (unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
    paint(tmp_path / "train" / composed)
    paint(tmp_path / "train" / apart, 2)
    paint(tmp_path / "train" / "tea", 4)
    divided(tmp_path, "val", classes=(apart, "tea"))
    layout = lay_out(tmp_path)
    assert set(layout.classes) == {composed, "tea"}
    assert sorted(sizes(layout)["train"]) == [4, 5]


def write_run(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "run.db").write_bytes(b"SQLite format 3\0")
    paint(folder / "trials" / "0")


def write_model(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "blueprint.json").write_text("{}")
    (folder / "model.py").write_text("")
    paint(folder / "pictures")


@pytest.mark.parametrize("runs", ["runs", "a/experiments", "elsewhere/deep"])
def test_what_evonas_wrote_is_no_data_whatever_it_is_called(tmp_path: Path, runs: str) -> None:
    divided(tmp_path, "")
    before, key = lay_out(tmp_path), data_key(of(tmp_path))
    write_run(tmp_path / runs / "first")
    write_model(tmp_path / "models" / "first")
    after = lay_out(tmp_path)
    assert (after.classes, after.files) == (before.classes, before.files)
    assert after.left_out == (f"models/first, {runs}/first that evonas wrote",) or (
        after.left_out == (f"{runs}/first, models/first that evonas wrote",)
    )
    assert data_key(of(tmp_path)) == key


def test_the_cache_is_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVONAS_CACHE", str(tmp_path / "kept"))
    divided(tmp_path, "")
    key = data_key(of(tmp_path))
    assert read(tmp_path).problem.classes == ("a", "b")
    assert cache_folder("data").is_relative_to(tmp_path / "kept")
    assert lay_out(tmp_path).left_out == ("kept that evonas wrote",)
    assert data_key(of(tmp_path)) == key
    monkeypatch.setenv("EVONAS_CACHE", str(tmp_path.parent / "other"))
    assert lay_out(tmp_path).classes == ("a", "b", "kept")  # its images told by their files only


def test_a_class_named_like_a_folder_of_evonas_is_a_class(tmp_path: Path) -> None:
    divided(tmp_path, "", classes=("models", "runs"))
    assert lay_out(tmp_path).classes == ("models", "runs")


def test_links_are_followed_but_not_in_a_circle(tmp_path: Path) -> None:
    divided(tmp_path / "data", "")
    paint(tmp_path / "more", 2)
    (tmp_path / "data" / "a" / "more").symlink_to(tmp_path / "more")
    (tmp_path / "data" / "a" / "circle").symlink_to(tmp_path / "data")
    (tmp_path / "more" / "back").symlink_to(tmp_path / "data" / "a")
    assert sizes(lay_out(tmp_path / "data")) == {"train": [5, 3]}
    key = data_key(of(tmp_path / "data"))
    paint(tmp_path / "more", 1, first=7)
    assert data_key(of(tmp_path / "data")) != key


def lines(folder: Path, **words: object) -> list[str]:
    return list(data_lines(of(folder, **words), read(folder, **words)))


def test_one_line_says_what_was_read(tmp_path: Path) -> None:
    for part, count in (("train", 5), ("val", 2), ("test", 1)):
        for name in ("cat", "dog"):
            paint(tmp_path / part / name, count)
    (tmp_path / ".DS_Store").write_bytes(b"")
    assert lines(tmp_path) == [
        "Data folder: 2 classes, 10/4/2 images to train, validate and test (cat 5/2/1, dog 5/2/1). "
        "Left out: 1 hidden."
    ]


def test_of_many_classes_the_smallest_and_the_largest_are_told(tmp_path: Path) -> None:
    for number in range(12):
        paint(tmp_path / f"class{number}", 5 + number % 3)
    (line,) = lines(tmp_path)
    assert "(from class9 2/2/1 to class11 4/2/1)" in line
    assert line.startswith("Data folder: 12 classes, ")


@pytest.mark.parametrize(
    ("counts", "is_told"), [((33, 3), True), ((30, 3), False), ((4, 4), False)]
)
def test_classes_more_unequal_than_ten_to_one_are_told(
    tmp_path: Path, counts: tuple[int, int], is_told: bool
) -> None:
    for name, count in zip(("many", "few"), counts, strict=True):
        paint(tmp_path / name, count)
    told = lines(tmp_path)[1:]
    assert bool(told) == is_told
    if told:
        assert told[0].startswith("Classes are unequal: many has 33 images, few 3. ")
        assert "balanced_accuracy" in told[0]
        assert "data.class_weights=balanced" in told[0]


@pytest.mark.parametrize(("name", "text"), [("digits", "10 classes"), ("synthetic", "10 classes")])
def test_every_data_set_says_what_was_read(name: str, text: str) -> None:
    settings = DataSettings(name=name)
    (line,) = data_lines(settings, load_data(settings, 8))
    assert line.startswith(f"Data {name}: {text}, ")


@pytest.mark.parametrize("subset", [1, 5, 12])
def test_a_subset_that_leaves_a_part_empty_is_refused_with_the_least_that_works(
    subset: int,
) -> None:
    (problem,) = problems_of(load_data, DataSettings(subset=subset), 8)
    assert problem.startswith(f"data.subset={subset} leaves a part of the split without")
    stated = int(problem.rstrip(".").rpartition("=")[2])
    data = load_data(DataSettings(subset=stated), 8)
    for part in (data.train, data.validation, data.test):
        assert set(part.targets) == set(range(10))
    with pytest.raises(DataError):
        load_data(DataSettings(subset=stated - 1), 8)


def test_the_least_subset_of_unequal_classes_works_too(tmp_path: Path) -> None:
    paint(tmp_path / "few", 3)
    paint(tmp_path / "many", 40)
    with pytest.raises(DataError, match=r"The least that works is data\.subset=34\."):
        read(tmp_path, subset=10)
    assert set(read(tmp_path, subset=34).train.targets) == {0, 1}


def test_the_content_is_the_same_wherever_images_lie_and_another_where_one_differs(
    tmp_path: Path,
) -> None:
    divided(tmp_path / "old", "train", "val")
    first = read(tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    for file in tmp_path.rglob("*.png"):
        os.utime(file, ns=(1, 1))
    assert read(tmp_path / "new").content == first.content
    for file, change in (("val/a/0.png", 255), ("train/b/2.png", 254)):
        whole = (tmp_path / "new" / file).read_bytes()
        Image.new("L", (4, 4), change).save(tmp_path / "new" / file)
        assert read(tmp_path / "new").content != first.content
        (tmp_path / "new" / file).write_bytes(whole)
