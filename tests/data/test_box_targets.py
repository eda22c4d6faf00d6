import numpy as np

from evonas.data.box_targets import box_groups, box_targets


def boxes(*labels: int) -> np.ndarray:
    return np.array([(label, 1, 2, 3, 4) for label in labels], np.float32).reshape(-1, 5)


def test_images_are_filled_up_with_rows_of_no_class() -> None:
    targets = box_targets([boxes(1, 0), boxes(), boxes(2)], 3)
    assert targets.dtype == np.float32
    assert targets[:, :, 0].tolist() == [[1, 0, -1], [-1, -1, -1], [2, -1, -1]]
    assert targets[2].tolist() == [[2, 1, 2, 3, 4], [-1, 0, 0, 0, 0], [-1, 0, 0, 0, 0]]


def test_an_image_is_of_the_group_of_its_rarest_class() -> None:
    images = [boxes(0)] * 9 + [boxes(0, 1, 0)] * 6 + [boxes()] * 5
    groups = box_groups(box_targets(images, 3), 2)
    assert groups.tolist() == [0] * 9 + [1] * 6 + [2] * 5


def test_a_group_too_small_to_be_split_joins_the_largest() -> None:
    images = [boxes(0)] * 9 + [boxes(1)] * 4 + [boxes()] * 2
    assert box_groups(box_targets(images, 1), 2).tolist() == [0] * 15
