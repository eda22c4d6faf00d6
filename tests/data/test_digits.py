import hashlib

import numpy as np
import pytest
from sklearn.datasets import load_digits

from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.data.digits import read_digits
from evonas.settings import DataSettings


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_data(DataSettings(name="digits"), resolution_px=8)


def test_digits_are_1797_grey_images_of_ten_classes(digits: Dataset) -> None:
    assert [len(part) for part in (digits.train, digits.validation, digits.test)] == [863, 575, 359]
    assert digits.train.images.shape == (863, 1, 8, 8)
    assert digits.train.images.dtype == np.uint8
    assert digits.problem.channels == 1
    assert digits.problem.classes == tuple("0123456789")


def test_every_part_has_all_classes_in_their_share(digits: Dataset) -> None:
    whole = np.bincount(load_digits().target)
    for part, share in [(digits.train, 0.48), (digits.validation, 0.32), (digits.test, 0.2)]:
        assert np.abs(np.bincount(part.targets) - share * whole).max() <= 1


def test_the_test_part_is_the_one_that_all_published_figures_are_of(digits: Dataset) -> None:
    labels = digits.test.targets.astype(np.uint8).tobytes()
    assert hashlib.sha256(labels).hexdigest()[:16] == "be8d77c041d201b1"


def test_grey_levels_fill_the_whole_range_and_keep_the_picture() -> None:
    images = read_digits(DataSettings(), 8).development.images
    assert (images.min(), images.max()) == (0, 255)
    assert np.abs(images[:, 0] / 255 * 16 - load_digits().images).max() < 0.05


def test_digits_are_enlarged_to_the_resolution() -> None:
    large = read_digits(DataSettings(), 32).development.images
    assert large.shape == (1797, 1, 32, 32)
    shrunk = large.reshape(1797, 8, 4, 8, 4).mean((2, 4))
    assert np.corrcoef(shrunk.ravel(), load_digits().images.ravel())[0, 1] > 0.97
