import torch
from rectangles import generator, labelled, rectangles

from evonas.settings import TrainingSettings
from evonas.tasks.detection.variation.box_rows import rows_of
from evonas.tasks.detection.variation.mosaic import is_closed, mosaics


def numbered(count: int, side: int = 32) -> torch.Tensor:
    """Images of one level each."""
    levels = torch.arange(1, count + 1, dtype=torch.uint8)[:, None, None, None]
    return levels.expand(count, 3, side, side).contiguous()


def mosaic(count: int, share: float = 1.0, seed: int = 0) -> torch.Tensor:
    rows = rows_of(torch.full((count, 1, 5), -1.0))
    recipe = TrainingSettings(mosaic=share)
    images, _ = mosaics(numbered(count), rows, recipe, 0.0, generator(seed))
    return images


def test_a_mosaic_is_four_images_round_a_point_and_its_own_is_one_of_them() -> None:
    for number, image in enumerate(mosaic(50), start=1):
        corners = {int(image[0, y, x]) for y in (0, -1) for x in (0, -1)}
        assert set(image.unique().tolist()) == corners  # no bars, nothing between two images
        assert number in corners
        assert len(image[0, 0].unique_consecutive()) <= 2
        assert len(image[0, :, 0].unique_consecutive()) <= 2


def test_the_point_is_somewhere_in_the_middle() -> None:
    edges = [int((image[0, 0] == image[0, 0, 0]).sum()) for image in mosaic(200)]
    inner = {edge for edge in edges if edge < 32}
    assert {min(inner), max(inner)} == {10, 22}


def test_a_share_of_the_images_are_mosaics() -> None:
    images = mosaic(400, share=0.3)
    changed = (images != numbered(400)).flatten(1).any(1).float().mean().item()
    assert 0.2 < changed < 0.4


def test_an_image_is_seen_at_half_its_size_or_more_of_it_cut_off() -> None:
    images, targets = rectangles()
    rows = rows_of(targets)
    recipe = TrainingSettings(mosaic=1.0)
    _, made = mosaics(images, rows, recipe, 0.0, generator(3))
    sides = {
        n: [high - low for low, high in ((b[0], b[2]), (b[1], b[3]))]
        for n, b in enumerate(targets[:, 1, 1:].tolist())
    }
    for labels in made:
        for row in labels[labels[:, 0] >= 0].tolist():
            width, height = sides[int(row[0])]
            assert 2 <= row[3] - row[1] <= width + 1e-3
            assert 2 <= row[4] - row[2] <= height + 1e-3
            assert (row[3] - row[1]) * (row[4] - row[2]) >= 0.1 * (0.3**2) * width * height
    assert max(len(labelled(labels)) for labels in made) >= 2


def test_a_training_ends_without_mosaics() -> None:
    by_share, by_epochs = TrainingSettings(close_mosaic=0.2), TrainingSettings(close_mosaic=2)
    always = TrainingSettings(close_mosaic=0)
    points = (0.5, 0.7, 0.85, 1.0)
    assert [is_closed(by_share, done) for done in points] == [False, False, True, True]
    assert [is_closed(by_epochs, done) for done in points] == [False, True, True, True]
    assert not any(is_closed(always, done) for done in points)
    random = generator()
    recipe = TrainingSettings(mosaic=1.0)
    images, _ = mosaics(numbered(3), rows_of(torch.zeros(3, 1, 5)), recipe, 0.9, random)
    assert torch.equal(images, numbered(3))
    assert torch.equal(random.get_state(), generator().get_state())


def test_one_image_alone_is_four_times_itself() -> None:
    assert torch.equal(mosaic(1), numbered(1))
