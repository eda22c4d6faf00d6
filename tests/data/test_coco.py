import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from labelled_sets import coco, faults, paint, problems, read, write_coco

FILE = "annotations/instances_all.json"
Change = Callable[[dict[str, Any]], Any]


def changed(root: Path, change: Change) -> Path:
    """A set of which the file was changed."""
    document = coco(range(30))
    change(document)
    return write_coco(root, document)


def test_a_file_for_each_part_as_roboflow_writes_it(tmp_path: Path) -> None:
    numbers = {"train": range(12), "valid": range(12, 18), "test": range(18, 24)}
    for part, own in numbers.items():
        for number in own:
            paint(tmp_path / part / f"{number:02}.png", 5 * number)
        (tmp_path / part / "_annotations.coco.json").write_text(json.dumps(coco(own)))
    source = read(tmp_path)
    assert source.validation is not None
    assert source.test is not None
    assert [len(source.development), len(source.validation), len(source.test)] == [12, 6, 6]
    assert source.faults == ()


def test_a_file_for_each_part_as_coco_has_them(tmp_path: Path) -> None:
    """Images of one name in the folders of two parts are told apart."""
    (tmp_path / "annotations").mkdir()
    for part, level in (("train2017", 0), ("val2017", 100)):
        for number in range(9):
            paint(tmp_path / part / f"{number:02}.png", level + number)
        file = tmp_path / "annotations" / f"instances_{part}.json"
        file.write_text(json.dumps(coco(range(9))))
        captions = file.with_name(f"person_keypoints_{part}.json")
        captions.write_text(json.dumps(coco([])))
    source = read(tmp_path)
    assert source.validation is not None
    assert source.development.images[:, 0, 20, 20].tolist() == list(range(9))
    assert source.validation.images[:, 0, 20, 20].tolist() == list(range(100, 109))


def test_a_category_without_boxes_is_left_out_and_told(tmp_path: Path) -> None:
    """Roboflow writes one that stands for all others."""
    add = {"id": 0, "name": "animals"}
    source = read(changed(tmp_path, lambda own: own["categories"].insert(0, add)))
    assert source.classes == ("cat", "dog")
    assert faults(source) == {"class without boxes left out": 1}


def test_crowds_are_left_out_and_told(tmp_path: Path) -> None:
    source = read(changed(tmp_path, lambda own: own["annotations"][0].update(iscrowd=1)))
    assert (source.development.targets[0, :, 0] == -1).all()
    (fault,) = source.faults
    assert fault.kind == "box round a crowd left out"
    assert fault.places == (f"{tmp_path}/{FILE}, annotations[0]",)


def test_polygons_without_a_box_become_the_one_round_them(tmp_path: Path) -> None:
    polygons = [[10, 5, 20, 5, 20, 9], [12, 2, 30, 8, 12, 8]]
    change = {"bbox": [], "segmentation": polygons}
    source = read(changed(tmp_path, lambda own: own["annotations"][0].update(change)))
    assert source.development.targets[0, 0].tolist() == [0, 10, 12, 30, 19]


def test_images_that_the_file_does_not_name_are_left_out_and_told(tmp_path: Path) -> None:
    root = write_coco(tmp_path, coco(range(28)))
    source = read(root)
    assert len(source.development) == 28
    assert faults(source) == {"images without labels left out": 2}


def test_an_image_that_is_missing_is_named(tmp_path: Path) -> None:
    root = write_coco(tmp_path)
    (root / "images" / "03.png").unlink()
    assert problems(root)[0] == f"{root}/{FILE}: there is no image 03.png."
    assert len(read(root, skip_damaged=True).development) == 29


def test_names_of_images_may_have_folders_of_another_machine(tmp_path: Path) -> None:
    source = read(
        changed(tmp_path, lambda own: own["images"][0].update(file_name="C:\\sets\\images\\00.png"))
    )
    assert len(source.development) == 30


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"bbox": [1, 2, 3]}, "it has no bbox of 4 numbers: left, top, width, height"),
        ({"bbox": [1, 2, 3, "x"]}, "'x' is no number"),
        ({"bbox": [1, 2, 3, float("nan")]}, "'nan' is no number"),
        ({"bbox": [1, 2, 3, True]}, "'True' is no number"),
        ({"bbox": None, "segmentation": [[1, 2]]}, "a polygon has an even number"),
        ({"category_id": 2}, "category_id 2 is that of no category"),
        ({"category_id": []}, "category_id [] is that of no category"),
        ({"image_id": 99}, "image_id 99 is that of no image"),
        ({"image_id": None}, "image_id null is that of no image"),
    ],
)
def test_an_annotation_that_is_none_is_told_with_its_place(
    tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    root = changed(tmp_path, lambda own: own["annotations"][4].update(changes))
    assert problems(root)[0].startswith(f"{root}/{FILE}, annotations[4]: {problem}")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda own: own["annotations"].insert(4, 7), ", annotations[4]: image_id null is that"),
        (lambda own: own["images"][4].pop("file_name"), ", images[4]: it needs an id and a file"),
        (lambda own: own["images"][4].update(id=3), ", images[4]: its id, 3, is there twice"),
        (lambda own: own["categories"][1].pop("id"), ", categories[1]: it needs an id and a name"),
        (lambda own: own.update(images={}), " has no list images, and COCO's has"),
    ],
)
def test_a_record_that_is_none_is_told_with_its_place(
    tmp_path: Path, change: Change, problem: str
) -> None:
    told = problems(changed(tmp_path, change))
    assert any(own.startswith(f"{tmp_path}/{FILE}{problem}") for own in told), told


def test_files_that_do_not_say_their_part_are_refused(tmp_path: Path) -> None:
    root = write_coco(tmp_path)
    other = root / "annotations" / "instances_more.json"
    other.write_text(json.dumps(coco([])))
    (problem,) = problems(root)
    assert "is one of 2 files of annotations, and its name does not say for which part" in problem
    (root / "annotations" / "instances_more.json").rename(
        root / "annotations" / "instances_val.json"
    )
    (root / FILE).rename(root / "annotations" / "instances_valid.json")
    assert problems(root)[0].endswith("are both for validation. Keep one of them.")


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    root = write_coco(tmp_path)
    content = (root / FILE).read_text()
    (root / FILE).write_text(content[:-2])
    (problem,) = problems(root)
    assert problem.startswith(f"{root}/{FILE} is no JSON that can be read: ")
    (root / FILE).write_text("[" * 100_000 + content)
    assert problems(root)[0].startswith(f"{root}/{FILE} is no JSON that can be read: ")
