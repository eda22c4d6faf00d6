import tarfile
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY
from labelled_sets import (
    BOXES,
    faults,
    paint,
    problems,
    read,
    write_lists,
    write_voc,
    xml,
)

BCCD = REPOSITORY.parent / "shared" / "data" / "bccd-voc.tar.gz"


def test_boxes_are_in_px_of_the_letterboxed_square(tmp_path: Path) -> None:
    source = read(write_voc(tmp_path, 12), 80)
    assert source.classes == ("cat", "dog")
    assert source.development.images.shape == (12, 1, 80, 80)
    assert source.development.targets.dtype == np.float32
    # Twice the size, below a bar of 10 px.
    assert source.development.targets[:3].tolist() == [
        [[0, 8, 24, 28, 44], [-1, 0, 0, 0, 0]],
        [[1, 20, 30, 60, 50], [0, 0, 20, 16, 36]],
        [[-1, 0, 0, 0, 0], [-1, 0, 0, 0, 0]],
    ]
    rows = source.development.images[1, 0, :, 0].tolist()
    assert rows[:19] + rows[-19:] == [114] * 38
    assert rows[21:-21] == [5] * 38
    assert source.test is None
    assert source.faults == ()


def test_lists_say_which_part_an_image_is_of(tmp_path: Path) -> None:
    root = write_voc(tmp_path, 12)
    write_lists(
        root, train=[0, 1, 2, 3], val=[4, 5], test=[6, 7, 8], trainval=[0, 1], cat_train=[9]
    )
    source = read(root)
    assert len(source.development) == 4
    assert source.validation is not None
    assert source.test is not None
    assert [len(source.validation), len(source.test)] == [2, 3]
    assert source.test.images[:, 0, 20, 20].tolist() == [30, 35, 40]
    assert faults(source) == {"images in no part of the split": 3}


@pytest.mark.slow
@pytest.mark.skipif(not BCCD.exists(), reason="the blood cells are not there")
def test_bccd_is_read_with_its_lists(tmp_path: Path) -> None:
    with tarfile.open(BCCD) as archive:
        archive.extractall(tmp_path, filter="data")
    source = read(tmp_path, 64)
    assert source.classes == ("Platelets", "RBC", "WBC")
    assert source.validation is not None
    assert source.test is not None
    parts = (source.development, source.validation, source.test)
    assert [len(part) for part in parts] == [205, 87, 72]
    assert sum((part.targets[:, :, 0] >= 0).sum() for part in parts) == 4_886
    (fault,) = source.faults
    assert (fault.kind, fault.count) == ("boxes without area left out", 2)
    assert "BloodImage_00338.xml, line 158" in "".join(fault.places)


def test_a_folder_for_each_part_as_roboflow_writes_it(tmp_path: Path) -> None:
    for part, numbers in (("train", range(12)), ("valid", range(12, 18)), ("test", range(18, 21))):
        for number in numbers:
            paint(tmp_path / part / f"{number:02}.png", 5 * number)
            (tmp_path / part / f"{number:02}.xml").write_text(xml(BOXES[number % 3]))
    source = read(tmp_path)
    assert source.validation is not None
    assert source.test is not None
    assert [len(source.development), len(source.validation), len(source.test)] == [12, 6, 3]
    assert source.faults == ()


def test_without_a_list_to_train_on_that_of_both_is_taken(tmp_path: Path) -> None:
    root = write_voc(tmp_path, 12)
    write_lists(root, trainval=[*range(9)], test=[9, 10, 11])
    source = read(root)
    assert source.validation is None
    assert len(source.development) == 9
    (root / "ImageSets" / "Main" / "trainval.txt").unlink()
    assert problems(root) == [
        f"{root}/ImageSets/Main has no list to train on. Call that train.txt."
    ]


def test_several_sets_are_refused(tmp_path: Path) -> None:
    for year in ("VOC2007", "VOC2012"):
        write_lists(write_voc(tmp_path / year, 3), train=[0, 1, 2])
    assert problems(tmp_path) == [
        f"{tmp_path} has several VOC sets: {tmp_path}/VOC2007, {tmp_path}/VOC2012. "
        "Name one by data.path=."
    ]


def test_boxes_marked_as_difficult_are_kept_and_told(tmp_path: Path) -> None:
    root = write_voc(tmp_path)
    file = root / "Annotations" / "00.xml"
    file.write_text(file.read_text().replace("<bndbox>", "<difficult>1</difficult><bndbox>"))
    source = read(root)
    assert (source.development.targets[0, :, 0] >= 0).sum() == 1
    (fault,) = source.faults
    assert (fault.kind, fault.places) == ("box marked as difficult kept", (f"{file}, line 3",))


def test_images_without_labels_are_left_out_and_told(tmp_path: Path) -> None:
    root = write_voc(tmp_path)
    (root / "Annotations" / "00.xml").unlink()
    source = read(root)
    assert len(source.development) == 29
    assert faults(source) == {"image without labels left out": 1}


def test_an_image_that_is_missing_is_named(tmp_path: Path) -> None:
    root = write_voc(tmp_path)
    (root / "JPEGImages" / "00.png").unlink()
    assert problems(root)[0] == f"{root}/Annotations/00.xml: there is no image 00."
    file = root / "Annotations" / "00.xml"
    file.write_text(xml(BOXES[0], "photo.jpg"))
    assert problems(root)[0] == f"{file}: there is no image photo.jpg."
    paint(root / "JPEGImages" / "photo.png", 9)  # converted since
    assert len(read(root).development) == 30


def test_a_label_file_that_a_list_names_and_is_not_there_is_told(tmp_path: Path) -> None:
    root = write_voc(tmp_path, 6)
    write_lists(root, train=[*range(7)])
    lists = root / "ImageSets" / "Main" / "train.txt"
    assert problems(root)[0] == f"{lists}, line 7: there is no file 06.xml."


def test_a_size_of_zeros_says_nothing(tmp_path: Path) -> None:
    root = write_voc(tmp_path)
    size = "<size><width>0</width><height>0</height></size>"
    (root / "Annotations" / "00.xml").write_text(xml(BOXES[0], size=size))
    assert read(root).development.targets[0, 0].tolist() == [0, 4, 12, 14, 22]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<annotation>\n<object></annotation>", ", line 2: it is no XML: mismatched tag."),
        ("", " is empty."),
        ("<html></html>", " has <html> where <annotation> is expected."),
        ("<annotation><object/></annotation>", ", line 1: object 1 has no name."),
        (
            "<annotation>\n<object><name>cat</name></object></annotation>",
            ", line 2: object 1 (cat) has no bndbox.",
        ),
        (
            "<annotation><object><name>cat</name><bndbox><xmin>1</xmin></bndbox></object>"
            "</annotation>",
            ", line 1: object 1 (cat): bndbox has no ymin.",
        ),
        (
            xml([(0, "left", 2, 3, 4)]),
            ", line 3: object 1 (cat): 'left' is no number.",
        ),
        (
            '<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>',
            ", line 1: it declares a document type.",
        ),
    ],
)
def test_a_label_file_that_is_none_is_told_with_its_line(
    tmp_path: Path, text: str, problem: str
) -> None:
    root = write_voc(tmp_path)
    file = root / "Annotations" / "03.xml"
    file.write_text(text)
    assert problems(root)[0] == f"{file}{problem}"


def test_a_list_of_classes_beside_xml_files_makes_no_set_of_yolo(tmp_path: Path) -> None:
    (write_voc(tmp_path) / "classes.txt").write_text("cat\ndog\n")
    assert read(tmp_path).classes == ("cat", "dog")
