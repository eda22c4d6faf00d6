import numpy as np
import pytest

from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.data.shapes import SHAPES, read_shapes
from evonas.errors import SettingsError
from evonas.settings import DataSettings, ShapesSettings


def drawn(resolution_px: int = 64, **changes: float) -> Dataset:
    shapes = ShapesSettings(**{"images": 90, "resolution_px": 64, **changes})
    return load_data(DataSettings(name="shapes", shapes=shapes), resolution_px)


def boxes(data: Dataset) -> np.ndarray:
    rows = np.concatenate([part.targets for part in data.parts]).reshape(-1, 5)
    return rows[rows[:, 0] >= 0]


def test_settings_say_how_many_and_how_large() -> None:
    data = drawn(classes=3, most=4, empty=0.2)
    assert data.problem.task == "detection"
    assert data.problem.classes == ("circle", "square", "triangle")
    assert sum(map(len, data.parts)) == 90
    counts = np.concatenate([(part.targets[:, :, 0] >= 0).sum(1) for part in data.parts])
    assert (counts == 0).sum() == 18
    assert counts.max() == 4
    assert all(part.targets.dtype == np.float32 for part in data.parts)
    assert all(part.targets.shape[1:] == (4, 5) for part in data.parts)


def test_each_part_has_boxes_of_each_class_and_empty_pictures() -> None:
    data = drawn()
    for part in data.parts:
        assert set(part.targets[:, :, 0].ravel()) == {-1, 0, 1, 2}
        assert (part.targets[:, :, 0] == -1).all(1).any()


def test_boxes_lie_within_the_picture_and_have_all_sizes() -> None:
    corners = boxes(drawn())[:, 1:]
    assert corners.min() >= 0
    assert corners.max() <= 64
    sides = corners[:, 2:] - corners[:, :2]
    assert sides.min() < 10 < 24 < sides.max()


def test_another_resolution_shows_the_same_pictures_and_boxes() -> None:
    small, large = drawn(32), drawn(128)
    assert np.allclose(boxes(small)[:, 1:] * 4, boxes(large)[:, 1:], atol=1e-3)
    shrunk = large.train.images.reshape(-1, 3, 32, 4, 32, 4).mean((3, 5))
    assert np.corrcoef(shrunk.ravel(), small.train.images.ravel())[0, 1] > 0.98


@pytest.mark.parametrize("shape", SHAPES.items(), ids=SHAPES)
def test_a_shape_fills_its_box(shape: tuple) -> None:
    centres = (np.arange(400) + 0.5) / 200 - 1
    inside = shape[1](centres, centres[:, None])
    for axis in (0, 1):
        (lines,) = np.nonzero(inside.any(axis))
        assert lines[0] <= 2
        assert lines[-1] >= 397


def test_what_is_drawn_lies_in_the_boxes() -> None:
    """Most of a box has the colour of its middle: all of a square, pi / 4 of a circle."""
    data = drawn(classes=2, most=1, empty=0.0)
    shares: tuple[list[float], ...] = ([], [])
    for image, ((label, *corners),) in zip(data.train.images, data.train.targets, strict=True):
        left, top, right, bottom = np.round(corners).astype(int)
        middle = image[:, (top + bottom) // 2, (left + right) // 2].astype(int)
        own = image[:, top:bottom, left:right].astype(int)
        alike = (abs(own - middle[:, None, None]) < 60).all(0)
        shares[int(label)].append(alike.mean())
    circle, square = map(np.mean, shares)
    assert circle == pytest.approx(np.pi / 4, abs=0.1)
    assert square > 0.9


def test_the_seed_says_which() -> None:
    def images(seed: int) -> np.ndarray:
        own = ShapesSettings(images=30, seed=seed)
        return read_shapes(DataSettings(shapes=own), 32).development.images

    assert np.array_equal(images(1), images(1))
    assert not np.array_equal(images(1), images(2))


def test_too_few_images_are_told_with_the_least_that_work() -> None:
    with pytest.raises(
        SettingsError, match=r"images=10 is too few for 3 .* Write (\d+)"
    ) as failure:
        drawn(images=10)
    drawn(images=int(str(failure.value).split()[-3]))
