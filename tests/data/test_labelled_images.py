"""What holds for labelled images of all formats."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from labelled_sets import faults, paint, problems, read, write_coco, write_voc, write_yolo, xml
from PIL import Image

from evonas.data.cache import data_key, load_data
from evonas.data.dataset import Source
from evonas.errors import DataError
from evonas.settings import DataSettings

WRITERS: dict[str, Callable[[Path], Path]] = {
    "yolo": write_yolo,
    "coco": write_coco,
    "voc": write_voc,
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    return {
        name: read(write(tmp_path_factory.mktemp("sets") / name), 80)
        for name, write in WRITERS.items()
    }


@pytest.mark.parametrize("name", WRITERS)
def test_all_formats_give_the_same(name: str, sources: dict[str, Source]) -> None:
    source, other = sources[name], sources["voc"]
    assert source.classes == ("cat", "dog")
    assert np.array_equal(source.development.images, other.development.images)
    assert np.allclose(source.development.targets, other.development.targets, atol=1e-4)
    assert np.array_equal(source.development.strata, other.development.strata)
    assert source.faults == ()


def test_a_folder_with_labels_of_two_formats_asks_which(tmp_path: Path) -> None:
    write_yolo(write_voc(tmp_path))
    (problem,) = problems(tmp_path)
    assert problem == (
        f"{tmp_path} has labels of YOLO (data.yaml and text files) and of Pascal VOC (XML files). "
        "Say which by data.format=yolo or data.format=voc."
    )
    assert read(tmp_path, format="yolo").classes == ("cat", "dog")
    assert read(tmp_path, format="voc").classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("format", "title"),
    [("auto", "YOLO .* or COCO .* or Pascal VOC"), ("coco", r"COCO \(JSON files\)\.$")],
)
def test_a_folder_without_labels_is_refused(tmp_path: Path, format: str, title: str) -> None:
    paint(tmp_path / "images" / "1.png", 5)
    with pytest.raises(DataError, match=rf"has no labels of {title}"):
        read(tmp_path, format=format)


def test_all_faults_of_all_files_are_told_at_once_and_many_are_counted(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    for number in range(5):
        (tmp_path / "labels" / "train" / f"{number:02}.txt").write_text("0 0.5 0.5 x 0.1\n")
    (tmp_path / "labels" / "train" / "06.txt").write_text("0 0.5 0.5 0.1 0.1\n7 0.5 0.5 0.1 0.1\n")
    folder = tmp_path / "labels" / "train"
    assert problems(tmp_path) == [
        *(f"{folder}/0{number}.txt, line 1: 'x' is no number." for number in range(3)),
        "... and 2 more like these.",
        f"{folder}/06.txt, line 2: class 7, and data.yaml has 0 to 1.",
        "Leave such images out by data.skip_damaged=true, or look at everything by "
        f"evonas doctor data=detection data.path={tmp_path}",
    ]
    source = read(tmp_path, skip_damaged=True)
    assert len(source.development) == 24
    assert faults(source) == {
        "labels that cannot be read, such images left out": 5,
        "label of an unknown class, such images left out": 1,
    }


def in_one(tmp_path: Path, text: str) -> Path:
    """A set of which one image has this label file."""
    write_yolo(tmp_path)
    (tmp_path / "labels" / "train" / "00.txt").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "fault", "boxes"),
    [
        # Of 40 x 20 px; the square of 40 has a bar of 10 px above.
        ("0 0.9 0.5 0.4 0.5", "box cut at the edge of its image", [[0, 28, 15, 40, 25]]),
        ("0 1.5 0.5 0.2 0.2", "box outside its image left out", []),
        ("0 0.5 0.5 0 0.2", "box without area left out", []),
        ("0 0.5 0.5 1e-7 0.2", "box without area left out", []),
        ("0 0.5 0.5 -0.1 0.2", "box without area left out", []),
        ("0 0.5 0.5 0.5 0.5\n" * 2, "box given twice kept once", [[0, 10, 15, 30, 25]]),
        ("0 0.5 0.5 1.0000001 1.01", None, [[0, 0, 10, 40, 30]]),  # rounding is no fault
    ],
)
def test_what_can_be_mended_is_mended_and_counted(
    tmp_path: Path, line: str, fault: str | None, boxes: list[list[float]]
) -> None:
    source = read(in_one(tmp_path, line))
    targets = source.development.targets[0]
    assert np.allclose(targets[targets[:, 0] >= 0], np.reshape(boxes, (-1, 5)), atol=1e-4)
    assert faults(source) == ({fault: 1} if fault else {})
    if fault:
        (place,) = source.faults[0].places
        assert place.startswith(f"{tmp_path}/labels/train/00.txt, line ")


def test_a_damaged_image_is_named_and_may_be_left_out(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    file = tmp_path / "images" / "train" / "03.png"
    file.write_bytes(file.read_bytes()[:40])
    problem, _ = problems(tmp_path)
    assert problem.startswith(f"{file} is no image that can be read: ")
    assert len(read(tmp_path, skip_damaged=True).development) == 29


def test_images_that_two_parts_share_are_told(tmp_path: Path) -> None:
    write_yolo(tmp_path, train=20, val=10)
    images = tmp_path / "images"
    (images / "val" / "20.png").write_bytes((images / "train" / "07.png").read_bytes())
    (fault,) = read(tmp_path).faults
    assert fault.kind == "image in two parts of the split"
    assert fault.places == (f"{images}/val/20.png (validation) and {images}/train/07.png (train)",)


def test_a_class_without_boxes_is_left_out_and_told(tmp_path: Path) -> None:
    write_yolo(tmp_path, "names: {0: cat, 1: dog, 2: unicorn}\ntrain: images/train\n")
    source = read(tmp_path)
    assert source.classes == ("cat", "dog")
    (fault,) = source.faults
    assert (fault.kind, fault.places) == ("class without boxes left out", ("unicorn",))


def test_a_class_that_only_the_test_part_has_is_told(tmp_path: Path) -> None:
    yaml = "names: [cat, dog, cow]\ntrain: images/train\ntest: images/test\n"
    write_yolo(tmp_path, yaml, train=20, test=10)
    (tmp_path / "labels" / "test" / "20.txt").write_text("2 0.5 0.5 0.5 0.5\n")
    (fault,) = read(tmp_path).faults
    assert (fault.kind, fault.places) == ("class without boxes to train on", ("cow",))


def test_classes_keep_their_numbers_where_one_between_them_is_left_out(tmp_path: Path) -> None:
    write_yolo(tmp_path, "names: [cat, none, dog]\ntrain: images/train\n")
    for file in (tmp_path / "labels" / "train").iterdir():
        file.write_text(file.read_text().replace("1 0.5", "2 0.5"))
    source = read(tmp_path)
    assert source.classes == ("cat", "dog")
    assert source.development.targets[1, 0].tolist() == [1, 10, 15, 30, 25]


def test_no_box_to_train_on_is_refused(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    for file in (tmp_path / "labels" / "train").iterdir():
        file.write_text("")
    assert problems(tmp_path) == [f"{tmp_path} has images to train on and not a box in them."]


def test_too_few_images_to_train_on_are_refused(tmp_path: Path) -> None:
    (problem,) = problems(write_yolo(tmp_path, train=2))
    assert problem == (
        f"{tmp_path} has 2 labelled images to train on, and a search needs 3 or more."
    )


def test_colour_of_one_image_gives_all_three_channels(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    Image.new("RGB", (40, 20), "red").save(tmp_path / "images" / "train" / "00.png")
    images = read(tmp_path).development.images
    assert images.shape == (30, 3, 40, 40)
    assert images[0, :, 20, 20].tolist() == [255, 0, 0]
    assert images[0, :, 0, 0].tolist() == [114, 114, 114]


def test_pictures_are_read_as_a_viewer_shows_them(tmp_path: Path) -> None:
    """16 bits, transparency on white, upright by EXIF with boxes of the upright picture."""
    write_yolo(tmp_path)
    folder = tmp_path / "images" / "train"
    Image.fromarray(np.full((20, 40), 0x8000, np.uint16)).save(folder / "00.png")
    Image.new("LA", (40, 20), (0, 0)).save(folder / "01.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    stored = Image.new("L", (20, 40), 30)
    stored.paste(200, (0, 0, 20, 20))  # on top as stored, right as shown
    stored.save(folder / "03.png", exif=exif)
    images = read(tmp_path).development.images
    assert images[0, 0, 20, 20] == 128
    assert images[1, 0, 20, 20] == 255
    assert images[3, 0, 20, [10, 30]].tolist() == [30, 200]
    assert images[:, 0, 0, 0].tolist() == [114] * 30


# How Pillow makes a picture as it is stored of the upright one.
TO_STORE = {
    3: Image.Transpose.ROTATE_180,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
SHOWN = (23, 4, 35, 10)  # px of a bright box in a picture of 40 x 20 as it is shown


def painted(orientation: int, file: Path) -> list[int]:
    """Stores a picture that is shown with a bright box; the corners of the box as it is stored."""
    upright = Image.new("L", (40, 20), 20)
    upright.paste(250, SHOWN)
    stored = upright.transpose(TO_STORE[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(file, exif=exif)
    rows, columns = np.nonzero(np.asarray(stored) > 100)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def said(root: Path, corners: Sequence[int], size: tuple[int, int]) -> list[float]:
    """The one box of the first image, of which VOC's labels say these corners and this size."""
    width, height = size
    told = f"<size><width>{width}</width><height>{height}</height></size>"
    (root / "Annotations" / "00.xml").write_text(xml([(1, *corners)], size=told))
    label, left, top, right, bottom = read(root).development.targets[0, 0].tolist()
    return [label, left, top - 10, right, bottom - 10]  # the square has a bar of 10 px above


@pytest.mark.parametrize("orientation", TO_STORE)
def test_boxes_are_of_the_picture_that_is_shown(orientation: int, tmp_path: Path) -> None:
    painted(orientation, write_voc(tmp_path) / "JPEGImages" / "00.png")
    assert said(tmp_path, SHOWN, (40, 20)) == [1, *SHOWN]
    assert read(tmp_path).faults == ()


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_of_a_picture_as_it_is_stored_are_turned_with_it_and_that_is_told(
    orientation: int, tmp_path: Path
) -> None:
    file = write_voc(tmp_path) / "JPEGImages" / "00.png"
    corners = painted(orientation, file)
    assert said(tmp_path, corners, (20, 40)) == [1, *SHOWN]
    (fault,) = read(tmp_path).faults
    assert fault.kind == "image labelled as it is stored, its boxes turned as its EXIF data say"
    assert fault.places == (str(file),)
    assert not fault.stops


def test_another_size_than_labels_say_scales_boxes_and_another_shape_is_refused(
    tmp_path: Path,
) -> None:
    write_voc(tmp_path)
    paint(tmp_path / "JPEGImages" / "00.png", 7, (80, 40))
    assert read(tmp_path).development.targets[0, 0].tolist() == [0, 4, 12, 14, 22]
    place = f"{tmp_path}/Annotations/00.xml: 00.png is"
    paint(tmp_path / "JPEGImages" / "00.png", 7, (30, 20))
    assert problems(tmp_path)[0] == f"{place} 30 x 20, not 40 x 20."
    paint(tmp_path / "JPEGImages" / "00.png", 7, (20, 40))
    assert problems(tmp_path)[0] == f"{place} 20 x 40, not 40 x 20."
    assert len(read(tmp_path, skip_damaged=True).development) == 29


@pytest.mark.parametrize("name", WRITERS)
def test_labels_that_are_anything_give_no_traceback(name: str, tmp_path: Path) -> None:
    """Every label file cut, with bytes changed and lines repeated: refused by its name, or read."""
    root = WRITERS[name](tmp_path)
    suffixes = {"yolo": (".txt", ".yaml"), "coco": (".json",), "voc": (".xml",)}[name]
    rng = np.random.default_rng(0)
    labels = sorted(file for file in root.rglob("*") if file.suffix in suffixes)
    for number in range(60):
        file = labels[-1 - number % min(2, len(labels))] if number % 3 else labels[0]
        whole = file.read_bytes()
        file.write_bytes(spoilt(whole, rng))
        refused = attempt(root, name)
        assert all(str(root) in problem or "... and" in problem for problem in refused)
        file.write_bytes(whole)


def attempt(root: Path, name: str) -> list[str]:
    try:
        read(root, 8, format=name)
    except DataError as error:
        return error.problems
    return []


def spoilt(content: bytes, rng: np.random.Generator) -> bytes:
    kind = rng.integers(5)
    start, end = sorted(rng.integers(0, len(content) + 1, 2))
    if kind == 0:
        return content[:start]
    if kind == 1:
        return content[:start] + rng.bytes(3) + content[end:]
    if kind == 2:
        return content[:start] + content[start:end] * 2 + content[end:]
    words = [b"nan", b"-1", b"1e999", b"null", b"[]", b"{}", b'"', b"<", b":", b"\n", b"9" * 400]
    word = words[rng.integers(len(words))]
    numbers = [match.span() for match in re.finditer(rb"[\d.]+", content)]
    if kind == 3 or not numbers:
        return content[:start] + word + content[start:]
    start, end = numbers[rng.integers(len(numbers))]
    return content[:start] + word + content[end:]


def test_faults_groups_and_boxes_come_back_from_the_cache(tmp_path: Path) -> None:
    in_one(tmp_path, "0 0.5 0.5 0 0.2")
    settings = DataSettings(name="detection", path=tmp_path)
    first, second = load_data(settings, 16), load_data(settings, 16)
    assert first.faults == second.faults
    assert [fault.count for fault in second.faults] == [1]
    assert first.content == second.content
    assert second.train.groups is not None
    assert len(second.development.strata) == len(second.development)
    file = tmp_path / "labels" / "train" / "00.txt"
    file.write_text("0 0.5 0.5 0.1 0.2")
    assert load_data(settings, 16).faults == ()  # a label that changes is read again


def test_a_subset_keeps_images_of_each_class_and_empty_ones(tmp_path: Path) -> None:
    write_yolo(tmp_path, train=90)
    data = load_data(DataSettings(name="detection", path=tmp_path, subset=20), 16)
    assert len(data.development) == pytest.approx(20, abs=1)
    for part in data.parts[:2]:
        assert set(part.targets[:, :, 0].ravel()) == {-1, 0, 1}
        assert (part.targets[:, :, 0] == -1).all(1).any()


def test_other_settings_of_the_format_are_other_data() -> None:
    settings = DataSettings(name="detection", path=Path("somewhere"))
    other = settings.model_copy(update={"format": "coco"})
    assert data_key(settings) != data_key(other)
    assert data_key(DataSettings()) == data_key(DataSettings(format="coco"))
