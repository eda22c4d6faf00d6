"""After every heuristic, boxes are where the things are that are drawn."""

from typing import Any

import pytest
import torch
from rectangles import generator, misfits, rectangles

from evonas.settings import TrainingSettings
from evonas.tasks.detection.variation import augmented, box_rows
from evonas.tasks.detection.variation.box_rows import rows_of

RECIPES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "mosaic": {"mosaic": 1},
    "cutmix": {"cutmix": 1},
    "crop": {"crop": 1},
    "expand": {"expand": 1},
    "translate": {"translate": 0.3},
    "scale": {"scale": 0.5},
    "flips": {"fliplr": 0.5, "flipud": 0.5},
    "multi_scale": {"multi_scale": 0.5},
    "progressive": {"progressive": 0.5},
    "some": {"crop": 0.5, "expand": 0.5, "scale": 0.3, "translate": 0.2, "fliplr": 0.5},
    "mosaic and more": {"mosaic": 0.5, "scale": 0.2, "flipud": 0.5, "multi_scale": 0.2},
    "cutmix and more": {"cutmix": 1, "translate": 0.2, "fliplr": 0.5, "progressive": 0.8},
}
SEEDS = range(6)


@pytest.fixture
def _slivers_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is seen has a label, so that nothing else is to be drawn."""
    monkeypatch.setattr(box_rows, "LEAST_SHARE", 1e-6)
    monkeypatch.setattr(box_rows, "LEAST_SIDE_PX", 0.75)


def varied_rectangles(seed: int, **recipe: Any) -> tuple[torch.Tensor, torch.Tensor]:
    images, targets = rectangles(seed=seed)
    settings = TrainingSettings(**recipe)
    return augmented(images, rows_of(targets), settings, 0.1, generator(seed))


@pytest.mark.usefixtures("_slivers_count")
@pytest.mark.parametrize("name", RECIPES)
def test_boxes_still_fit_what_is_drawn(name: str) -> None:
    for seed in SEEDS:
        images, rows = varied_rectangles(seed, **RECIPES[name])
        assert misfits(images, rows, tolerance_px=2) == []
        assert (rows[..., 0] >= 0).sum() >= 3


@pytest.mark.parametrize(
    "recipe", [{"degrees": 45}, {"shear": 20}, {"degrees": 180, "scale": 0.3}], ids=str
)
def test_a_box_round_what_was_turned_holds_all_of_it(recipe: dict[str, Any]) -> None:
    """It is the hull of the box that was turned, which for a rectangle is its hull."""
    for seed in SEEDS:
        images, rows = varied_rectangles(seed, **recipe)
        assert misfits(images, rows, tolerance_px=2.5) == []


@pytest.mark.parametrize(
    "recipe",
    [{"hsv_h": 0.1}, {"contrast": 0.5}, {"interpolate": 1}, {"mixup": 1}, {"erasing": 1}],
    ids=str,
)
def test_what_leaves_things_in_their_places_leaves_boxes_there(recipe: dict[str, Any]) -> None:
    before = rectangles()[1][:, 1]
    _, rows = varied_rectangles(0, **recipe)
    assert all((rows[n, :, :5] == before[n]).all(1).any() for n in range(5))


def test_without_heuristics_nothing_changes_and_nothing_is_drawn() -> None:
    images, targets = rectangles()
    random = generator()
    same, rows = augmented(images, rows_of(targets), TrainingSettings(), 0.5, random)
    assert same is images
    assert torch.equal(rows[..., :5], targets)
    assert (rows[..., 5] == 1).all()
    assert torch.equal(random.get_state(), generator().get_state())


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_the_same_seed_varies_alike_and_another_does_not(recipe: dict[str, Any]) -> None:
    (first, rows), (second, same_rows) = (varied_rectangles(1, **recipe) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(rows, same_rows)
