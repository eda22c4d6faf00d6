"""The IoU family, by values worked out by hand."""

import math

import pytest
import torch

from evonas.tasks.detection.overlap import OVERLAPS, ciou, diou, giou, iou

# Two squares of side 2, one to the right by 1: common 2, union 6, hull 3 x 2 = 6; centres 1 apart,
# hull's diagonal² 9 + 4 = 13.
SHIFTED = ([0.0, 0, 2, 2], [1.0, 0, 3, 2])
# Squares of side 2, a gap of 2 between them: hull 6 x 2 = 12, union 8; centres 4 apart, 36 + 4.
APART = ([0.0, 0, 2, 2], [4.0, 0, 6, 2])
# A box of 4 x 1 in one of 4 x 4, both centred: common 4, union 16; the diagonal does not matter.
FLAT = ([0.0, 1.5, 4, 2.5], [0.0, 0, 4, 4])
V = 4 / math.pi**2 * (math.atan(1) - math.atan(4)) ** 2


@pytest.mark.parametrize(
    ("boxes", "values"),
    [
        (SHIFTED, (1 / 3, 1 / 3, 1 / 3 - 1 / 13, 1 / 3 - 1 / 13)),
        (APART, (0, -(12 - 8) / 12, -16 / 40, -16 / 40)),
        (FLAT, (1 / 4, 1 / 4, 1 / 4, 1 / 4 - V**2 / (1 - 1 / 4 + V))),
    ],
)
def test_values_are_those_of_the_formulas(
    boxes: tuple[list[float], list[float]], values: tuple[float, ...]
) -> None:
    first, second = map(torch.tensor, boxes)
    for overlap, value in zip((iou, giou, diou, ciou), values, strict=True):
        for given in ((first, second), (second, first)):
            assert overlap(*given).item() == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("name", OVERLAPS)
def test_equal_boxes_agree_wholly_and_all_are_compared_with_all(name: str) -> None:
    boxes = torch.tensor([SHIFTED[0], SHIFTED[1], APART[1]])
    table = OVERLAPS[name](boxes[:, None], boxes)
    assert table.shape == (3, 3)
    torch.testing.assert_close(table, table.T)
    torch.testing.assert_close(table.diagonal(), torch.ones(3))
    assert (table >= -1).all()


@pytest.mark.parametrize("name", OVERLAPS)
@pytest.mark.parametrize("box", [[3.0, 3, 3, 3], [3.0, 3, 3, 9], [3.0, 3, 9, 3], [1.0, 1, 5, 5]])
def test_gradients_are_finite_for_boxes_without_an_area_too(name: str, box: list[float]) -> None:
    others = torch.tensor([[3.0, 3, 3, 3], [0, 0, 2, 2], [1, 1, 5, 5], [3, 3, 3, 8]])
    given = torch.tensor(box).requires_grad_(True)
    overlap = OVERLAPS[name](given, others)
    assert overlap.isfinite().all()
    (gradient,) = torch.autograd.grad(overlap.sum(), given)
    assert gradient.isfinite().all()
    assert gradient.abs().max() < 1e4
