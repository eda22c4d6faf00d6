import pytest
import torch
from rectangles import generator

from evonas.settings import TrainingSettings
from evonas.tasks.detection.variation.box_mixing import BOX_MIXERS, cutmix, mixup
from evonas.tasks.detection.variation.box_rows import rows_of
from evonas.tasks.variation.mixing import mixed


def two(side: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    """A dark image with two labels and a bright one with one label."""
    images = torch.tensor([40, 200], dtype=torch.uint8)[:, None, None, None]
    labels = [[[0, 1, 1, 9, 9], [1, 4, 2, 12, 6]], [[2, 0, 0, 16, 16], [-1, -1, -1, -1, -1]]]
    return images.expand(2, 3, side, side).contiguous(), rows_of(torch.tensor(labels).float())


@pytest.mark.parametrize("name", BOX_MIXERS)
def test_a_mixer_alone_is_used_and_leaves_known_labels_with_weights(name: str) -> None:
    images, rows = two()
    recipe = TrainingSettings.model_validate({name: 1})
    made, labels = mixed(images, rows, recipe, generator(), BOX_MIXERS)
    assert (made.shape, made.dtype) == (images.shape, images.dtype)
    assert not torch.equal(made, images)
    known = labels[labels[..., 0] >= 0]
    assert set(known[:, 0].tolist()) <= {0, 1, 2}
    assert ((known[:, 5] > 0) & (known[:, 5] <= 1)).all()


def test_mixup_keeps_both_images_labels_in_their_places_each_with_its_images_weight() -> None:
    images, rows = two()
    mixed, labels = mixup(images, rows, 1.5, generator())
    weights = (200 - mixed[:, 0, 0, 0].float()) / 160  # of the dark image
    assert labels.shape == (2, 8, 6)
    for number in range(2):
        found = {int(row[0]): row for row in labels[number] if row[0] >= 0}
        assert set(found) == {0, 1, 2}
        for label, place in ((0, rows[0, 0]), (1, rows[0, 1]), (2, rows[1, 0])):
            assert torch.equal(found[label][1:5], place[1:5])
            share = weights[number] if label < 2 else 1 - weights[number]
            assert found[label][5].item() == pytest.approx(share.item(), abs=0.005)


def test_weights_of_mixup_are_drawn_for_each_image_and_are_mostly_even() -> None:
    images = torch.zeros(4000, 1, 1, 1, dtype=torch.uint8)
    rows = rows_of(torch.tensor([[[0.0, 0, 0, 1, 1]]]).repeat(4000, 1, 1))
    _, labels = mixup(images, rows, 1.5, generator())
    shares = labels[:, 0, 5]
    assert shares.mean().item() == pytest.approx(0.5, abs=0.02)
    assert shares.var().item() == pytest.approx(1 / 16, abs=0.005)  # 1 / (4 (2 alpha + 1))
    assert torch.allclose(labels[:, :2, 5].sum(1), torch.ones(4000))


def test_mixing_mixed_images_again_multiplies_weights() -> None:
    images, rows = two()
    once = mixup(images, rows, 1.5, generator())
    _, twice = mixup(*once, 1.5, generator(1))
    assert torch.allclose(
        twice[..., 5].where(twice[..., 0] >= 0, torch.tensor(0.0)).sum(1)[0:1] > 0,
        torch.tensor([True]),
    )
    assert twice.shape[1] == 8


def windows_of(mixed: torch.Tensor, level: int) -> torch.Tensor:
    """The window of another image in images (batch, 3, side, side) that had this level."""
    rows, columns = (mixed[0, 0] != level).nonzero().T
    return torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]).float()


@pytest.mark.parametrize("seed", range(10))
def test_cutmix_shows_a_window_of_another_image_with_what_is_in_it(seed: int) -> None:
    images, rows = two()
    mixed, labels = cutmix(images, rows, 1.0, generator(seed))
    if (mixed[0] == 40).all() or (mixed[0] == 200).all():
        return
    window = windows_of(mixed, 40)
    pasted = labels[0][labels[0, :, 0] == 2]
    if ((window[2:] - window[:2]) >= 2).all() and (window[2:] - window[:2]).prod() >= 25.6:
        assert torch.equal(pasted[0, 1:5], window)
    else:
        assert len(pasted) == 0
    assert (labels[..., 5][labels[..., 0] >= 0] == 1).all()


CASES = [
    # box of a label, window over it, what is left of it
    ([2, 2, 10, 10], [0, 0, 6, 16], [6, 2, 10, 10]),
    ([2, 2, 10, 10], [6, 0, 16, 16], [2, 2, 6, 10]),
    ([2, 2, 10, 10], [0, 0, 16, 6], [2, 6, 10, 10]),
    ([2, 2, 10, 10], [0, 6, 16, 16], [2, 2, 10, 6]),
    ([2, 2, 10, 10], [0, 0, 6, 6], [2, 2, 10, 10]),
    ([2, 2, 10, 10], [4, 0, 6, 16], [2, 2, 10, 10]),
    ([2, 2, 10, 10], [11, 11, 16, 16], [2, 2, 10, 10]),
    ([2, 2, 10, 10], [0, 0, 9, 16], None),
    ([2, 2, 10, 10], [0, 0, 16, 16], None),
    ([2, 2, 10, 10], [2, 2, 10, 10], None),
]


@pytest.mark.parametrize(("box", "window", "left"), CASES)
def test_a_label_is_cut_where_a_window_covers_a_side_of_it(
    box: list[int], window: list[int], left: list[int] | None
) -> None:
    from evonas.tasks.detection.variation.box_mixing import _uncovered

    rows = rows_of(torch.tensor([[[0, *box]]]).float())
    rest = _uncovered(rows, torch.tensor([[window]]).float())[0, 0]
    assert (rest[1:5].tolist() if rest[0] >= 0 else None) == left


def test_mixers_are_those_of_the_settings() -> None:
    assert list(BOX_MIXERS) == ["mixup", "cutmix"]
