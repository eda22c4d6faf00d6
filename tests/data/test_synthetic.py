import numpy as np
import pytest

from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.data.synthetic import read_synthetic
from evonas.errors import SettingsError
from evonas.settings import DataSettings, SyntheticSettings, Words


def made_up(resolution_px: int = 16, **changes: int) -> Dataset:
    synthetic = SyntheticSettings(**{"images": 600, "resolution_px": 16, **changes})
    return load_data(DataSettings(name="synthetic", synthetic=synthetic), resolution_px)


def test_settings_say_how_many_and_how_large() -> None:
    data = made_up(classes=4, channels=1)
    parts = (data.train, data.validation, data.test)
    assert sum(map(len, parts)) == 600
    assert data.problem.classes == ("0", "1", "2", "3")
    assert data.train.images.shape[1:] == (1, 16, 16)
    assert data.train.images.dtype == np.uint8
    assert np.ptp(sum(np.bincount(part.targets) for part in parts)) == 0


def test_the_seed_says_which() -> None:
    def images(seed: int) -> np.ndarray:
        own = SyntheticSettings(images=30, seed=seed)
        return read_synthetic(DataSettings(synthetic=own), 32).development.images

    assert np.array_equal(images(1), images(1))
    assert not np.array_equal(images(1), images(2))


def test_another_resolution_shows_the_same_images() -> None:
    small, large = made_up(16), made_up(48)
    assert large.train.images.shape[1:] == (3, 48, 48)
    shrunk = large.train.images.reshape(-1, 3, 16, 3, 16, 3).mean((3, 5))
    assert np.corrcoef(shrunk.ravel(), small.train.images.ravel())[0, 1] > 0.95


@pytest.mark.parametrize(("classes", "channels"), [(2, 1), (10, 3), (20, 3)])
def test_classes_can_be_learned_and_are_no_matter_of_course(classes: int, channels: int) -> None:
    """By the nearest image of the training part; a single pixel does not tell."""
    data = made_up(classes=classes, channels=channels)
    train, test = (
        part.images.reshape(len(part), -1).astype(np.float32) for part in (data.train, data.test)
    )
    train, test = (
        (images - images.mean(1, keepdims=True)) / images.std(1, keepdims=True)
        for images in (train, test)
    )
    found = data.train.targets[(test @ train.T).argmax(1)]
    assert (found == data.test.targets).mean() > 0.9
    pixel = np.abs(test[:, :1] - train[:, 0]).argmin(1)
    assert (data.train.targets[pixel] == data.test.targets).mean() < 0.8


def test_too_few_images_are_told() -> None:
    with pytest.raises(SettingsError, match=r"images=29 is too few: 10 classes .* Write 30 or"):
        made_up(images=29)


def test_words_set_it_and_wrong_ones_are_told() -> None:
    words = Words(["data=synthetic", "data.synthetic.channels=1", "data.synthetic.images=90"])
    assert words.read()[0].data.synthetic == SyntheticSettings(channels=1, images=90)
    assert words.read()[1] == []
    words = Words(["data.synthetic.channels=2", "data.synthetic.image=90", "data.images=5"])
    assert "data.synthetic.channels=2: input should be 1 or 3" in words.read()[1][0]
    assert any('Did you mean "images"?' in problem for problem in words.read()[1])
