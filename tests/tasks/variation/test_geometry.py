import math

import pytest
import torch

from evonas.settings import TrainingSettings
from evonas.tasks.variation.geometry import (
    AFFINE,
    flip_left_right,
    flip_upside_down,
    moved,
    rotation,
    shear,
    translate,
    warp,
    zoom,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int) -> torch.Tensor:
    return torch.randint(256, shape, dtype=torch.uint8, generator=generator(7))


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


def amounts(*pairs: tuple[float, float]) -> torch.Tensor:
    return torch.tensor(pairs)


def disc(side: int, radius: float) -> torch.Tensor:
    """One white disc on black, (1, 1, side, side)."""
    steps = torch.arange(side) - (side - 1) / 2
    inside = steps[:, None] ** 2 + steps**2 <= radius**2
    return (255 * inside).to(torch.uint8)[None, None]


def brightness(images: torch.Tensor) -> torch.Tensor:
    return images.float().sum((1, 2, 3))


def moments(image: torch.Tensor) -> torch.Tensor:
    """Second moments of brightness around the middle, (2, 2), of columns and rows."""
    weights = image.double().sum(0) / image.double().sum()
    steps = (torch.arange(image.shape[1]) - (image.shape[1] - 1) / 2).double()
    xs, ys = steps.expand_as(weights), steps[:, None].expand_as(weights)
    return torch.tensor([[(weights * a * b).sum() for b in (xs, ys)] for a in (xs, ys)])


# Shifts by whole pixels.


def test_translation_moves_each_image_on_its_own_by_up_to_its_share() -> None:
    shifted = translate(dots(500), 0.2, generator())
    steps = range(-2, 3)
    assert places(shifted) == {(row, column) for row in steps for column in steps}


def test_translation_moves_all_channels_together_and_keeps_their_values() -> None:
    shifted = translate(dots(50), 0.2, generator())
    assert shifted.shape == (50, 2, 10, 10)
    assert shifted.dtype == torch.uint8
    assert torch.equal(shifted[:, 0], 2 * shifted[:, 1])
    assert (shifted.amax((2, 3)) == torch.tensor([200, 100], dtype=torch.uint8)).all()


def test_translation_lets_black_come_in() -> None:
    white = torch.full((100, 1, 10, 10), 255, dtype=torch.uint8)
    shifted = translate(white, 0.3, generator())
    assert set(shifted.unique().tolist()) == {0, 255}
    rows, columns = (shifted.amax(axis).sum(2) // 255 for axis in (3, 2))
    assert torch.equal((shifted > 0).sum((1, 2, 3)), (rows * columns)[:, 0])
    assert min(rows.min(), columns.min()) == 7


def test_translation_lets_the_mirrored_image_come_in() -> None:
    image = torch.arange(10).repeat(10, 1).to(torch.uint8)
    shifted = translate(image.expand(200, 1, 10, 10), 0.2, generator(), "reflect")
    first_rows = {tuple(row) for row in shifted[:, 0, 0].tolist()}
    assert first_rows == {
        (2, 1, 0, 1, 2, 3, 4, 5, 6, 7),
        (1, 0, 1, 2, 3, 4, 5, 6, 7, 8),
        (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
        (1, 2, 3, 4, 5, 6, 7, 8, 9, 8),
        (2, 3, 4, 5, 6, 7, 8, 9, 8, 7),
    }


def test_translation_goes_by_the_share_of_each_side() -> None:
    image = torch.zeros(300, 1, 21, 5, dtype=torch.uint8)
    image[:, 0, 10, 2] = 1
    _, _, rows, columns = translate(image, 0.2, generator()).nonzero().T
    assert set(rows.tolist()) == set(range(6, 15))
    assert set(columns.tolist()) == {1, 2, 3}


@pytest.mark.parametrize("fill", ["black", "reflect"])
def test_translation_by_nearly_the_whole_side_is_possible(fill: str) -> None:
    assert translate(noise(5, 3, 8, 8), 0.99, generator(), fill).shape == (5, 3, 8, 8)


@pytest.mark.parametrize("share", [0.0, 0.04])
def test_less_than_half_a_pixel_is_no_translation(share: float) -> None:
    images = dots(3)
    assert translate(images, share, generator()) is images


# Flips.


def test_flipping_mirrors_left_and_right() -> None:
    images = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert torch.equal(flip_left_right(images, 1, generator()), images.flip(3))
    assert flip_left_right(images, 0, generator()) is images


def test_flipping_turns_upside_down() -> None:
    images = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert torch.equal(flip_upside_down(images, 1, generator()), images.flip(2))
    assert flip_upside_down(images, 0, generator()) is images


def test_each_image_is_flipped_whole_or_not_at_all_with_the_probability_asked_for() -> None:
    images = torch.arange(12).reshape(1, 2, 2, 3).repeat(2000, 1, 1, 1)
    flipped = flip_left_right(images, 0.3, generator())
    is_flipped = (flipped == images.flip(3)).all((1, 2, 3))
    assert torch.equal(flipped[~is_flipped], images[~is_flipped])
    assert is_flipped.float().mean().item() == pytest.approx(0.3, abs=0.04)


# Affine changes by known amounts.


@pytest.mark.parametrize(("turns", "side"), [(1, 6), (2, 7), (3, 6)])
def test_rotation_by_right_angles_is_that_of_torch(turns: int, side: int) -> None:
    images = noise(4, 3, side, side)
    turned = warp(images, rotation(amounts(*[(90.0 * turns, 0)] * 4)), torch.zeros(4, 2), "black")
    assert torch.equal(turned, images.rot90(turns, (2, 3)))


def test_rotation_moves_a_dot_by_the_angle() -> None:
    image = torch.zeros(1, 1, 41, 41, dtype=torch.uint8)
    image[0, 0, 19:22, 34:37] = 200  # 15 pixels to the right of the middle
    turned = warp(image, rotation(amounts((30, 0))), torch.zeros(1, 2), "black")[0, 0].double()
    steps = torch.arange(41).double() - 20
    across = (turned * steps).sum() / turned.sum()
    up = -(turned * steps[:, None]).sum() / turned.sum()
    assert across.item() == pytest.approx(15 * math.cos(math.pi / 6), abs=0.1)
    assert up.item() == pytest.approx(15 * math.sin(math.pi / 6), abs=0.1)


@pytest.mark.parametrize("amount", [-0.4, 0.5])
def test_zoom_changes_areas_by_its_square(amount: float) -> None:
    before = disc(64, 12)
    after = warp(before, zoom(amounts((amount, 0))), torch.zeros(1, 2), "black")
    ratio = (brightness(after) / brightness(before)).item()
    assert ratio == pytest.approx((1 + amount) ** 2, rel=0.02)


def test_shear_slants_a_disc_and_keeps_its_area() -> None:
    before = disc(64, 12)
    after = warp(before, shear(amounts((30, 20))), torch.zeros(1, 2), "black")
    assert (brightness(after) / brightness(before)).item() == pytest.approx(1, rel=0.02)
    columns = torch.tensor([[1, math.tan(math.radians(30))], [0, 1]]).double()
    rows = torch.tensor([[1, 0], [math.tan(math.radians(20)), 1]]).double()
    both = rows @ columns
    expected = both @ moments(before[0]) @ both.T
    torch.testing.assert_close(moments(after[0]), expected, rtol=0.03, atol=0.3)


@pytest.mark.parametrize("name", AFFINE)
def test_nothing_is_changed_by_an_amount_of_0(name: str) -> None:
    assert torch.equal(AFFINE[name](torch.zeros(3, 2)), torch.eye(2).expand(3, 2, 2))


@pytest.mark.parametrize("fill", ["black", "reflect"])
def test_a_warp_that_only_shifts_is_a_translation(fill: str) -> None:
    images = noise(50, 3, 12, 9)
    shifted = translate(images, 0.4, generator(3), fill)
    down = 5 - torch.randint(11, (50,), generator=(same := generator(3)))
    right = 4 - torch.randint(9, (50,), generator=same)
    shifts = torch.stack([right, down], 1).float()
    assert torch.equal(warp(images, torch.eye(2).expand(50, 2, 2), shifts, fill), shifted)


def test_images_of_one_pixel_can_be_warped() -> None:
    image = noise(2, 1, 1, 1)
    assert torch.equal(
        warp(image, rotation(amounts((9, 0), (5, 0))), torch.zeros(2, 2), "black"), image
    )


# Affine changes by random amounts.


def fitted(images: torch.Tensor, reach: float) -> torch.Tensor:
    """The maps (batch, 2, 3) that moved the landmarks, `reach` from the middle, where they are."""
    steps = (torch.arange(images.shape[2]) - (images.shape[2] - 1) / 2).double()
    weights = images.double() / images.double().sum((2, 3), keepdim=True)
    centres = torch.stack(
        [(weights * steps).sum((2, 3)), (weights * steps[:, None]).sum((2, 3))], 1
    )
    start = torch.tensor([[0, 0, 1], [reach, 0, 1], [0, reach, 1]]).double()  # x, y, 1
    return centres @ torch.linalg.inv(start.T)


def landmarks(count: int) -> torch.Tensor:
    """Three channels with a small disc each: in the middle, 12 to the right, 12 below it."""
    images = torch.zeros(count, 3, 65, 65, dtype=torch.uint8)
    for channel, (row, column) in enumerate([(32, 32), (32, 44), (44, 32)]):
        images[:, channel, row - 2 : row + 3, column - 2 : column + 3] = 255
    return images


def test_random_rotations_turn_each_image_by_up_to_the_angle() -> None:
    maps = fitted(moved(landmarks(400), TrainingSettings(degrees=30), generator()), 12)
    angles = torch.rad2deg(torch.atan2(maps[:, 0, 1], maps[:, 0, 0]))
    assert angles.abs().max() < 30.3
    assert angles.std().item() == pytest.approx(30 / 3**0.5, rel=0.08)
    torch.testing.assert_close(
        torch.linalg.det(maps[:, :, :2]), torch.ones(400).double(), atol=0.03, rtol=0
    )


def test_random_zooms_are_the_same_in_both_directions_and_up_to_the_gain() -> None:
    maps = fitted(moved(landmarks(400), TrainingSettings(scale=0.5), generator()), 12)
    torch.testing.assert_close(maps[:, 0, 0], maps[:, 1, 1], atol=0.02, rtol=0)
    assert maps[:, 0, 0].min() > 0.48
    assert maps[:, 0, 0].max() < 1.52
    assert maps[:, 0, 0].std().item() == pytest.approx(0.5 / 3**0.5, rel=0.08)


def test_all_affine_changes_and_the_shift_are_one() -> None:
    recipe = TrainingSettings(degrees=20, scale=0.2, shear=10, translate=0.1)
    maps = fitted(moved(landmarks(400), recipe, generator()), 12)
    shifts = maps[:, :, 2] / 65
    assert shifts.abs().max() < 0.102
    assert shifts.std().item() == pytest.approx(0.1 / 3**0.5, rel=0.08)
    areas = torch.linalg.det(maps[:, :, :2])
    assert 0.8**2 - 0.03 < areas.min() < 0.7
    assert 1.35 < areas.max() < 1.2**2 + 0.03


def test_shifts_of_affine_changes_go_by_the_share_of_each_side() -> None:
    image = torch.zeros(300, 1, 41, 11, dtype=torch.uint8)
    image[:, 0, 20, 5] = 255
    recipe = TrainingSettings(degrees=0.01, translate=0.2)
    _, _, rows, columns = moved(image, recipe, generator()).nonzero().T
    assert (rows.min(), rows.max()) == (20 - 9, 20 + 9)
    assert (columns.min(), columns.max()) == (5 - 3, 5 + 3)


def test_what_comes_in_at_the_sides_is_chosen() -> None:
    white = torch.full((50, 1, 16, 16), 255, dtype=torch.uint8)
    settings = {"degrees": 45.0, "translate": 0.2}
    black = moved(white, TrainingSettings(**settings, fill="black"), generator())
    assert (black.amin((1, 2, 3)) < 255).all()
    assert black.min() == 0
    assert torch.equal(
        moved(white, TrainingSettings(**settings, fill="reflect"), generator()), white
    )
