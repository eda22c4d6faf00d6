import pytest
import torch

from evonas.tasks.variation.resolution import resized, side_px


@pytest.mark.parametrize(
    ("full_px", "start", "sides"),
    [
        (32, 0.5, [16, 24, 32]),
        (32, 1.0, [32, 32, 32]),
        (28, 0.5, [16, 24, 28]),
        (24, 2 / 3, [16, 16, 24]),
        (16, 0.5, [8, 12, 16]),
        (16, 0.1, [8, 8, 16]),
        (8, 0.5, [8, 8, 8]),
        (6, 0.5, [6, 6, 6]),
        (224, 0.6, [136, 176, 224]),
    ],
)
def test_the_side_grows_in_three_equal_phases(full_px: int, start: float, sides: list[int]) -> None:
    found = [side_px(full_px, start, step / 300) for step in range(301)]
    assert found == [sides[0]] * 100 + [sides[1]] * 100 + [sides[2]] * 101


def test_images_of_the_right_side_stay_as_they_are() -> None:
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    assert resized(images, 8) is images


def test_small_images_are_means_of_large_ones() -> None:
    images = torch.randint(
        256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    small = resized(images, 16)
    assert small.shape == (4, 3, 16, 16)
    assert small.dtype == torch.uint8
    assert small.is_contiguous()
    torch.testing.assert_close(small.float().mean(), images.float().mean(), rtol=0.01, atol=0)
    assert small.float().std() < 0.7 * images.float().std(), "thinning out alone keeps the noise"


def test_what_is_in_the_middle_stays_there_and_channels_stay_apart() -> None:
    images = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    images[:, 1, 4:12, 4:12] = 200
    small = resized(images, 8)
    assert small[0, 1, 3:5, 3:5].eq(200).all()
    assert small[0, [0, 2]].eq(0).all()
    assert torch.equal(small, small.flip(3))


def test_the_other_side_shrinks_as_much() -> None:
    images = torch.zeros(1, 1, 32, 20, dtype=torch.uint8)
    assert resized(images, 16).shape == (1, 1, 16, 10)
