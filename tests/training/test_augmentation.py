import pytest
import torch

from evonas.training.augmentation import flip_left_right, translate


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def dots(count: int, side: int = 10) -> torch.Tensor:
    """Black images of two channels; the middle of each is bright, in each channel another way."""
    images = torch.zeros(count, 2, side, side, dtype=torch.uint8)
    images[:, 0, side // 2, side // 2] = 200
    images[:, 1, side // 2, side // 2] = 100
    return images


def places(images: torch.Tensor) -> set[tuple[int, int]]:
    """Where the dots are, relative to the middle."""
    side = images.shape[2]
    _, rows, columns = images[:, 0].nonzero().T.tolist()
    return {(row - side // 2, col - side // 2) for row, col in zip(rows, columns, strict=True)}


def test_translation_moves_each_image_on_its_own_by_up_to_its_share() -> None:
    moved = translate(dots(500), 0.2, generator())
    steps = range(-2, 3)
    assert places(moved) == {(row, column) for row in steps for column in steps}


def test_translation_moves_all_channels_together_and_keeps_their_values() -> None:
    moved = translate(dots(50), 0.2, generator())
    assert moved.shape == (50, 2, 10, 10)
    assert moved.dtype == torch.uint8
    assert torch.equal(moved[:, 0], 2 * moved[:, 1])
    assert (moved.amax((2, 3)) == torch.tensor([200, 100], dtype=torch.uint8)).all()


def test_translation_lets_black_come_in() -> None:
    white = torch.full((100, 1, 10, 10), 255, dtype=torch.uint8)
    moved = translate(white, 0.3, generator())
    assert set(moved.unique().tolist()) == {0, 255}
    rows, columns = (moved.amax(axis).sum(2) // 255 for axis in (3, 2))
    assert torch.equal((moved > 0).sum((1, 2, 3)), (rows * columns)[:, 0])
    assert min(rows.min(), columns.min()) == 7


@pytest.mark.parametrize("share", [0.0, 0.04])
def test_less_than_half_a_pixel_is_no_translation(share: float) -> None:
    images = dots(3)
    assert translate(images, share, generator()) is images


def test_flipping_mirrors_left_and_right() -> None:
    images = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert torch.equal(flip_left_right(images, 1, generator()), images.flip(3))
    assert flip_left_right(images, 0, generator()) is images


def test_each_image_is_flipped_whole_or_not_at_all_with_the_probability_asked_for() -> None:
    images = torch.arange(12).reshape(1, 2, 2, 3).repeat(2000, 1, 1, 1)
    flipped = flip_left_right(images, 0.3, generator())
    is_flipped = (flipped == images.flip(3)).all((1, 2, 3))
    assert torch.equal(flipped[~is_flipped], images[~is_flipped])
    assert is_flipped.float().mean().item() == pytest.approx(0.3, abs=0.04)


def test_the_generator_alone_decides() -> None:
    images = dots(20)
    for change in (lambda g: translate(images, 0.4, g), lambda g: flip_left_right(images, 0.5, g)):
        assert torch.equal(change(generator(1)), change(generator(1)))
        assert not torch.equal(change(generator(1)), change(generator(2)))
