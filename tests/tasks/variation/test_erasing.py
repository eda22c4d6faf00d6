import math
from collections.abc import Callable

import pytest
import torch

from evonas.settings import TrainingSettings
from evonas.tasks.variation.erasing import ERASERS, cutout, erased, grid, rectangle

Eraser = Callable[[torch.Tensor, float, torch.Generator], torch.Tensor]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ones(*shape: int) -> torch.Tensor:
    return torch.ones(shape).contiguous(memory_format=torch.channels_last)


def extents(blank: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Heights and widths of what is blank, which must be one full rectangle an image."""
    rows, columns = blank[:, 0].any(2), blank[:, 0].any(1)
    assert torch.equal(blank[:, 0], rows[:, :, None] & columns[:, None, :])
    for lines in (rows, columns):
        changes = lines.int().diff(dim=1).abs().sum(1)
        assert changes.max() <= 2  # in one piece
    return rows.sum(1), columns.sum(1)


def test_cutout_blanks_a_square_that_the_border_cuts_off() -> None:
    blank = cutout(ones(3000, 3, 32, 32), 0.5, generator())
    assert blank.shape == (3000, 1, 32, 32)
    heights, widths = extents(blank)
    assert set(heights.tolist()) == set(range(8, 17))
    assert set(widths.tolist()) == set(range(8, 17))
    # The centre is any of 32 rows: 17 leave all 16 rows, 8 above and 7 below fewer.
    mean = (17 * 16 + sum(range(8, 16)) + sum(range(9, 16))) / 32
    assert (heights * widths).double().mean().item() == pytest.approx(mean**2, rel=0.02)


def test_cutout_goes_by_the_shorter_side() -> None:
    heights, widths = extents(cutout(ones(500, 1, 40, 20), 0.3, generator()))
    assert heights.max() == widths.max() == 6


def test_erasing_blanks_rectangles_of_2_to_33_percent() -> None:
    heights, widths = extents(rectangle(ones(4000, 1, 100, 100), 1, generator()))
    areas = (heights * widths).double() / 100**2
    assert 0.018 < areas.min() < 0.025
    assert 0.32 < areas.max() < 0.34
    assert areas.mean().item() == pytest.approx((0.02 + 0.33) / 2, rel=0.02)
    aspects = (heights / widths).log()
    assert aspects.min().item() == pytest.approx(math.log(0.3), abs=0.1)
    assert aspects.max().item() == pytest.approx(math.log(3.3), abs=0.1)
    assert aspects.mean().item() == pytest.approx(math.log(0.3 * 3.3) / 2, abs=0.05)


def test_erasing_stays_within_the_image_and_reaches_every_pixel() -> None:
    blank = rectangle(ones(3000, 1, 6, 18), 1, generator())
    heights, widths = extents(blank)
    assert heights.min() >= 1
    assert widths.min() >= 1
    shares = blank[:, 0].float().mean(0)
    assert shares.min() > 0.02
    torch.testing.assert_close(shares, shares.flip(0, 1), atol=0.05, rtol=0)


@pytest.mark.parametrize("eraser", [rectangle, grid])
def test_images_are_blanked_with_the_probability(eraser: Eraser) -> None:
    blank = eraser(ones(3000, 1, 16, 16), 0.3, generator())
    assert blank.any(3).any(2).float().mean().item() == pytest.approx(0.3, abs=0.03)


def period(line: list[bool]) -> int:
    return next(step for step in range(1, len(line)) if line[step:] == line[:-step])


def test_grids_are_of_squares_and_repeat_by_a_quarter_to_half_of_the_side() -> None:
    blank = grid(ones(400, 1, 80, 80), 1, generator())[:, 0]
    rows, columns = blank.any(2), blank.any(1)
    assert torch.equal(blank, rows[:, :, None] & columns[:, None, :])
    periods = [period(line) for line in rows.tolist()]
    assert set(periods) == set(range(20, 41))
    assert periods == [period(line) for line in columns.tolist()]
    for lines in (rows, columns):
        widths = [int(line[:step].sum()) for line, step in zip(lines, periods, strict=True)]
        assert widths == [round(0.4 * step) for step in periods]


def test_grids_blank_sixteen_percent() -> None:
    blank = grid(ones(3000, 1, 80, 80), 1, generator())
    assert blank.float().mean().item() == pytest.approx(0.4**2, rel=0.02)
    shares = blank[:, 0].float().mean(0)  # no pixel is more often blank than another
    assert shares.std() < 0.01


@pytest.mark.parametrize("name", ERASERS)
def test_blanks_are_0_in_all_channels_and_the_rest_stays(name: str) -> None:
    images = ones(100, 3, 16, 12) * torch.tensor([1.0, -2, 3])[:, None, None]
    changed = erased(images, TrainingSettings(**{name: 0.5}), generator())
    blank = ERASERS[name](images, 0.5, generator())
    assert 0 < blank.float().mean() < 1
    assert torch.equal(changed, torch.where(blank, 0, images))
    assert changed.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ERASERS)
def test_each_image_has_blanks_of_its_own(name: str) -> None:
    blank = ERASERS[name](ones(20, 1, 32, 32), 0.9, generator())
    assert len(blank.flatten(1).unique(dim=0)) > 10


@pytest.mark.parametrize("name", ERASERS)
@pytest.mark.parametrize("side", [1, 4])
def test_the_smallest_images_can_be_blanked(name: str, side: int) -> None:
    recipe = TrainingSettings(**{name: 0.9})
    assert erased(ones(3, 1, side, side), recipe, generator()).shape == (3, 1, side, side)


def test_several_kinds_of_blanks_come_together() -> None:
    images, same = ones(50, 1, 16, 16), generator()
    settings = {"cutout": 0.3, "erasing": 0.8, "gridmask": 0.8}
    blanks = [ERASERS[name](images, value, same) for name, value in settings.items()]
    kept = erased(images, TrainingSettings(**settings), generator())
    assert torch.equal(kept == 0, blanks[0] | blanks[1] | blanks[2])
