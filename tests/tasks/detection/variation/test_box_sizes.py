import pytest
import torch
from rectangles import generator, rectangles

from evonas.settings import TrainingSettings
from evonas.tasks.detection.variation.box_rows import rows_of
from evonas.tasks.detection.variation.box_sizes import interpolated, sides_px, sized


@pytest.mark.parametrize(
    ("usual", "share", "sides"),
    [
        (416, 0.25, [320, 352, 384, 416, 448, 480, 512]),
        (320, 0.1, [288, 320, 352]),
        (160, 0.1, [144, 160, 176]),
        (96, 0.1, [88, 96, 104]),
        (64, 0.5, [32, 64, 96]),
        (20, 0.01, [20]),
    ],
)
def test_sides_are_multiples_and_several(usual: int, share: float, sides: list[int]) -> None:
    assert sides_px(usual, share) == sides


def test_each_batch_has_a_size_of_its_own_and_all_come_up() -> None:
    images, targets = rectangles(64)
    recipe, random = TrainingSettings(multi_scale=0.25), generator()
    batches = [sized(images, rows_of(targets), recipe, 0.5, random)[0] for _ in range(40)]
    assert {batch.shape[2] for batch in batches} == {48, 64, 80}
    assert all(batch.shape[2] == batch.shape[3] for batch in batches)


def test_sizes_vary_round_that_of_this_share_of_the_training() -> None:
    images, targets = rectangles(64)
    recipe, random = TrainingSettings(multi_scale=0.25, progressive=0.5), generator()
    early = [sized(images, rows_of(targets), recipe, 0.0, random)[0] for _ in range(40)]
    assert {batch.shape[2] for batch in early} == {24, 32, 40}


def test_interpolation_changes_pixels_of_a_share_of_the_images_and_no_place() -> None:
    images = rectangles()[0].repeat(20, 1, 1, 1)
    changed = interpolated(images, TrainingSettings(interpolate=0.3), generator(1))
    assert changed.shape == images.shape
    assert changed.dtype == torch.uint8
    apart = (changed.float() - images.float()).abs().mean((1, 2, 3))
    has_something = (images > 0).flatten(1).any(1)
    assert 0.2 < (apart[has_something] > 0).float().mean() < 0.4
    assert apart.max() < 30
