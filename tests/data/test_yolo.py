from pathlib import Path

import pytest
from labelled_sets import BOXES, faults, paint, problems, read, write_yolo, yolo

from evonas.data.dataset import Source

TRAIN = "labels/train/00.txt"
NUMBERS = "a box has a class and 4 numbers, a polygon an even number from 6, and this line"


def test_parts_are_those_that_data_yaml_names(tmp_path: Path) -> None:
    yaml = "names: {0: cat, 1: dog}\npath: .\ntrain: images/train\nval: images/val\n"
    yaml += "test: images/test\n"
    source = read(write_yolo(tmp_path, yaml, train=9, val=6, test=3))
    assert source.validation is not None
    assert source.test is not None
    assert [len(source.development), len(source.validation), len(source.test)] == [9, 6, 3]
    assert source.test.targets.shape[1:] == source.development.targets.shape[1:]


@pytest.mark.parametrize(
    "entry",
    [
        "train: ../images/train",  # as Roboflow writes it, beside its folders
        "path: ../datasets/mine\ntrain: images/train",  # as Ultralytics does
        "path: /home/somebody/mine\ntrain: images/train",
        "train: /home/somebody/mine/images/train",
        'train: "images\\\\train"',
        "train: [images/train]",
        "train: ./images/train/",
        "train: list.txt",
        "train: [list.txt]",
    ],
)
def test_words_for_the_images_lead_into_the_folder(tmp_path: Path, entry: str) -> None:
    root = write_yolo(tmp_path, f"names: [cat, dog]\n{entry}\n")
    lines = [f"./images/train/{number:02}.png" for number in range(29)]
    lines.append("/home/somebody/mine/images/train/29.png")
    (root / "list.txt").write_text("\n".join(lines))
    source = read(root)
    assert len(source.development) == 30
    assert source.faults == ()


def test_a_way_out_of_the_folder_is_named_and_not_followed(tmp_path: Path) -> None:
    write_yolo(tmp_path / "images")
    root = tmp_path / "yaml"
    root.mkdir()
    yaml = root / "data.yaml"
    yaml.write_text("names: [cat, dog]\ntrain: ../images/images/train\n")
    assert problems(root, format="yolo") == [
        f"{yaml}: train is ../images/images/train, which leads to {tmp_path}/images/images/train. "
        f"A search looks for images in data.path={root} alone: put data.yaml beside the images, "
        "and name that folder."
    ]


def test_a_part_that_is_nowhere_is_told_and_one_to_train_on_refused(tmp_path: Path) -> None:
    root = write_yolo(tmp_path, "names: [cat, dog]\ntrain: images/train\ntest: ../test/images\n")
    source = read(root)
    assert source.test is None
    assert faults(source) == {"part of the split that is named and not there": 1}
    (root / "elsewhere").mkdir()
    (root / "data.yaml").write_text("names: [cat, dog]\ntrain: elsewhere\n")
    assert problems(root) == [
        f"{root}/data.yaml: train is elsewhere, and {root} has no files there."
    ]


def test_an_image_that_a_list_names_and_is_not_there_is_told_with_its_line(tmp_path: Path) -> None:
    root = write_yolo(tmp_path, "names: [cat, dog]\ntrain: list.txt\n")
    (root / "list.txt").write_text("images/train/00.png\n\nimages/train/nothing.png\n")
    problem, _ = problems(root)
    assert problem == f"{root}/list.txt, line 3: there is no image images/train/nothing.png."


def test_without_data_yaml_folders_are_parts_and_a_list_names_classes(tmp_path: Path) -> None:
    root = write_yolo(tmp_path, train=20, val=10)
    (root / "data.yaml").unlink()
    (root / "classes.txt").write_text("cat\ndog\n")
    source = read(root)
    assert source.validation is not None
    assert [len(source.development), len(source.validation)] == [20, 10]
    assert source.faults == ()


def test_labels_may_lie_beside_their_images(tmp_path: Path) -> None:
    for number in range(9):
        paint(tmp_path / "photos" / f"{number}.png", number)
        (tmp_path / "photos" / f"{number}.txt").write_text(yolo(BOXES[number % 3]))
    (tmp_path / "data.yaml").write_text("names: [cat, dog]\ntrain: photos\n")
    assert boxes_of(read(tmp_path)) == 9


def boxes_of(source: Source) -> int:
    return int((source.development.targets[:, :, 0] >= 0).sum())


def test_the_last_folder_called_images_has_its_labels_beside_it(tmp_path: Path) -> None:
    root = write_yolo(tmp_path / "images")  # DIR itself may be called so
    assert boxes_of(read(root)) == 30


def test_an_image_without_a_label_file_has_no_objects(tmp_path: Path) -> None:
    root = write_yolo(tmp_path)
    (root / TRAIN).unlink()
    source = read(root)
    assert (source.development.targets[0, :, 0] == -1).all()
    assert faults(source) == {"image without a label file taken as one without objects": 1}


def test_labels_without_images_and_images_in_no_part_are_told(tmp_path: Path) -> None:
    root = write_yolo(tmp_path)
    (root / "labels" / "train" / "gone.txt").write_text("0 .5 .5 .5 .5\n")
    paint(root / "extra" / "1.png", 9)
    assert faults(read(root)) == {
        "label file without an image left out": 1,
        "image in no part of the split": 1,
    }


def test_polygons_become_the_boxes_round_them(tmp_path: Path) -> None:
    root = write_yolo(tmp_path)
    (root / TRAIN).write_text("1 0.25 0.5 0.5 0.25 0.75 0.5 0.5 1.0\n")
    assert read(root).development.targets[0, 0].tolist() == [1, 10, 15, 30, 30]


def test_keypoints_behind_a_box_are_passed_by(tmp_path: Path) -> None:
    root = write_yolo(tmp_path, "names: [cat, dog]\nkpt_shape: [2, 2]\ntrain: images/train\n")
    (root / TRAIN).write_text("0 0.5 0.5 0.5 0.5 0.1 0.1 0.9 0.9\n")
    assert read(root).development.targets[0, 0].tolist() == [0, 10, 15, 30, 25]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "0 0.5 0.5 0.1",
            "a box has a class and 4 numbers, a polygon an even number from 6, and this line has 3",
        ),
        (
            "0 0.5 0.5 0.1 0.1 0.9",
            "a box has a class and 4 numbers, a polygon an even number from 6, and this line has 5",
        ),
        ("0 0.5 0.5 0.1 nan", "'nan' is no number"),
        ("0 0.5 0.5 0.1 1e999", "'1e999' is no number"),
        ("cat 0.5 0.5 0.1 0.1", "'cat' is no number"),
        ("0, 0.5, 0.5, 0.1, 0.1", "'0,' is no number"),
        (
            "0 320 240 40 30",
            "numbers are shares of the image's sides, 0 to 1, and this has 320",
        ),
        ("2 0.5 0.5 0.1 0.1", "class 2, and data.yaml has 0 to 1"),
        ("-1 0.5 0.5 0.1 0.1", "class -1, and data.yaml has 0 to 1"),
        ("0.5 0.5 0.5 0.1 0.1", "class 0.5, and data.yaml has 0 to 1"),
    ],
)
def test_a_line_that_is_no_label_is_told_with_what_is_wrong(
    tmp_path: Path, line: str, problem: str
) -> None:
    root = write_yolo(tmp_path)
    (root / TRAIN).write_text(f"0 0.5 0.5 0.1 0.1\n\n{line}\n")
    first, _ = problems(root)
    assert first == f"{root}/{TRAIN}, line 3: {problem}."


def test_a_label_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    root = write_yolo(tmp_path)
    (root / TRAIN).write_bytes(b"\xff\xfe0 0.5")
    assert problems(root)[0] == f"{root}/{TRAIN} is no text in UTF-8."


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("names: [cat, cat]\ntrain: images", "names cat twice"),
        ("names: []\ntrain: images", "names no class"),
        ("names: {0: cat, 2: dog}\ntrain: images", "names has 2 classes, and no number 1"),
        ("names: [cat, dog]\nnc: 3\ntrain: images", "nc is 3, and names has 2"),
        ("names: cat\ntrain: images", "names has to be a list of classes"),
        ("names: [cat]\ntrain: {a: b}", "train has to be a folder, a file, or a list of these"),
        ("names: [cat]\nval: images", "names no images to train on"),
        ("names: [cat]\ntrain: images\nval: images\nvalid: images", "has validation twice"),
        ("names: [cat\ntrain: images", "is no YAML that can be read"),
    ],
)
def test_a_data_yaml_that_does_not_hold_together_is_refused(
    tmp_path: Path, yaml: str, problem: str
) -> None:
    root = write_yolo(tmp_path, yaml)
    (told,) = problems(root, format="yolo")
    assert told.startswith(f"{root}/data.yaml")
    assert problem in told


def test_classes_are_called_as_they_are_written(tmp_path: Path) -> None:
    """YAML 1.1 takes `no` and `on` for truth values, and 007 for a number."""
    root = write_yolo(tmp_path, "names: [no, 007]\ntrain: images/train\n")
    assert read(root).classes == ("no", "007")


def test_two_files_that_name_classes_are_refused_unless_one_is_data_yaml(tmp_path: Path) -> None:
    root = write_yolo(tmp_path)
    (root / "other.yaml").write_text("names: [a]\ntrain: images\n")
    assert read(root).classes == ("cat", "dog")
    (root / "data.yaml").rename(root / "mine.yaml")
    (problem,) = problems(root)
    assert "mine.yaml and" in problem
    assert "Keep one, or call it data.yaml." in problem
