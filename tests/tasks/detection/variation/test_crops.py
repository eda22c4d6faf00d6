import numpy as np
import pytest
import torch
from rectangles import generator

from evonas.tasks.detection.overlap import iou
from evonas.tasks.detection.variation import crops
from evonas.tasks.detection.variation.box_rows import rows_of
from evonas.tasks.detection.variation.crops import LEAST_IOUS, crop_windows

SIDE = 100


def labels(*boxes: list[float], copies: int = 300) -> torch.Tensor:
    return rows_of(torch.tensor([[[0.0, *box] for box in boxes]]).repeat(copies, 1, 1))


@pytest.fixture
def _only(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> float:
    monkeypatch.setattr(crops, "LEAST_IOUS", (request.param,))
    return float(request.param)


@pytest.mark.parametrize("_only", LEAST_IOUS, indirect=True)
def test_all_boxes_overlap_with_a_part_as_much_as_its_mode_asks(_only: float) -> None:
    rows = labels([5, 5, 95, 95], [4, 6, 96, 94])
    windows = crop_windows(rows, SIDE, generator())
    overlaps = iou(rows[..., 1:5], windows[:, None])
    is_part = (windows != torch.tensor([0.0, 0, SIDE, SIDE])).any(1)
    assert is_part.float().mean() > 0.2
    assert (overlaps[is_part] >= _only).all()
    sizes = windows[:, 2:] - windows[:, :2]
    assert (windows >= 0).all()
    assert (windows <= SIDE).all()
    assert (sizes == sizes.round()).all()
    shares = sizes[is_part].prod(1).sqrt() / SIDE
    assert shares.min() >= 0.28
    aspects = sizes[is_part, 0] / sizes[is_part, 1]
    assert aspects.min() >= 0.45
    assert aspects.max() <= 2.2


def test_a_part_has_the_middle_of_a_box_in_it() -> None:
    rows = labels([2, 2, 8, 8], [90, 90, 96, 96])
    windows = crop_windows(rows, SIDE, generator())
    has = [crops.has_centre(rows[:, n, 1:5], windows) for n in (0, 1)]
    assert (has[0] | has[1]).all()
    assert (has[0] ^ has[1]).any()


def test_an_image_without_labels_stays_whole_and_draws_nothing() -> None:
    random = generator()
    windows = crop_windows(rows_of(torch.full((3, 2, 5), -1.0)), SIDE, random)
    assert windows.tolist() == [[0, 0, SIDE, SIDE]] * 3
    assert torch.equal(random.get_state(), generator().get_state())


def plain(boxes: list[list[float]], rng: np.random.Generator) -> bool:
    """Whether a part is cut out, by the loop of the description, for one image."""
    corners = torch.tensor(boxes)
    while True:
        mode = rng.integers(7)
        if mode == 6:
            return False
        for _ in range(50):
            scale = rng.uniform(0.3, 1)
            root = rng.uniform(max(0.5, scale**2), min(2, scale**-2)) ** 0.5
            width, height = int(scale * root * SIDE), int(scale / root * SIDE)
            left, top = (int(rng.uniform(0, SIDE - size)) for size in (width, height))
            window = torch.tensor([left, top, left + width, top + height]).float()
            agrees = (iou(corners, window) >= LEAST_IOUS[mode]).all()
            if agrees and crops.has_centre(corners, window).any():
                return True


def test_as_many_images_are_cut_as_by_the_loop_of_the_description() -> None:
    boxes = [[20.0, 20, 70, 60], [30.0, 40, 90, 90]]
    rng = np.random.default_rng(0)
    expected = np.mean([plain(boxes, rng) for _ in range(150)])
    windows = crop_windows(labels(*boxes, copies=1500), SIDE, generator())
    share = (windows != torch.tensor([0.0, 0, SIDE, SIDE])).any(1).float().mean().item()
    assert share == pytest.approx(expected, abs=0.12)
