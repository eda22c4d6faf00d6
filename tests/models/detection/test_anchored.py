"""From maps to boxes of anchors."""

import pytest
import torch

from evonas.models.detection.anchored import (
    AnchorBoxes,
    AnchorPoints,
    AnchorPrediction,
    AnchorPriors,
    ObjectScores,
    Settling,
    Values,
)

ANCHORS = [[[8.0, 16.0], [4.0, 4.0]], [[32.0, 16.0], [64.0, 64.0]]]


def boxes(raw: list[float], prior: list[float], sensitivity: float = 1.0) -> list[float]:
    offsets, priors = (torch.tensor([[each]], dtype=torch.float32) for each in (raw, prior))
    made: list[float] = AnchorBoxes([sensitivity], [8])(offsets, priors)[0, 0].tolist()
    return made


def test_points_count_level_by_level_cell_by_cell_and_anchor_by_anchor() -> None:
    finer, coarser = torch.empty(2, 4, 2, 3), torch.empty(2, 4, 1, 2)
    priors = AnchorPriors([8, 16], ANCHORS)(finer, coarser)
    assert priors.shape == (1, 2 * (6 + 2), 5)
    assert priors[0, :3].tolist() == [[4, 4, 8, 16, 8], [4, 4, 4, 4, 8], [12, 4, 8, 16, 8]]
    assert priors[0, 6].tolist() == [4, 12, 8, 16, 8]
    assert priors[0, 12:].tolist() == [
        *([8, 8, 32, 16, 16], [8, 8, 64, 64, 16], [24, 8, 32, 16, 16], [24, 8, 64, 64, 16]),
    ]


def test_values_of_a_point_are_those_of_its_anchor_in_its_cell() -> None:
    maps = torch.arange(2 * 3 * 2 * 2.0).reshape(1, 6, 2, 2)  # 2 anchors of 3 values
    rows = AnchorPoints(2)(maps)
    assert rows.shape == (1, 8, 3)
    assert rows[0, 0].tolist() == maps[0, :3, 0, 0].tolist()
    assert rows[0, 1].tolist() == maps[0, 3:, 0, 0].tolist()
    assert rows[0, 2].tolist() == maps[0, :3, 0, 1].tolist()
    assert Values(1)(rows).shape == (1, 8, 2)
    assert Values(0, 1)(rows)[0, 1].tolist() == [maps[0, 3, 0, 0]]


def test_without_offsets_a_box_is_its_anchor_in_the_middle_of_its_cell() -> None:
    assert boxes([0, 0, 0, 0], [12, 20, 10, 6, 8]) == [7, 17, 17, 23]


def test_offsets_move_within_the_cell_and_multiply_the_anchor() -> None:
    three_quarters = torch.tensor(3.0).log().item()  # of a sigmoid
    twice = torch.tensor(2.0).log().item()
    made = boxes([three_quarters, 0, twice, 0], [12, 20, 10, 6, 8])
    assert made == pytest.approx([14 - 10, 17, 14 + 10, 23], abs=1e-5)


@pytest.mark.parametrize("sensitivity", [1.0, 1.05, 1.1, 1.2, 2.0])
def test_grid_sensitivity_keeps_the_middle_and_moves_the_ends_apart(sensitivity: float) -> None:
    """s sigmoid(t) - (s - 1) / 2: 1/2 is fixed, the ends are (1 - s) / 2 and (1 + s) / 2."""

    def centre(raw: float) -> float:
        left, _, right, _ = boxes([raw, 0, 0, 0], [4, 4, 8, 8, 8], sensitivity)
        return (left + right) / 2 / 8

    assert centre(0) == 0.5
    assert centre(99) == pytest.approx((1 + sensitivity) / 2, abs=1e-6)
    assert centre(-99) == pytest.approx((1 - sensitivity) / 2, abs=1e-6)


def test_levels_may_be_of_different_sensitivity() -> None:
    priors = torch.tensor([[[4.0, 4, 8, 8, 8], [8, 8, 8, 8, 16]]])
    made = AnchorBoxes([1.2, 1.0], [8, 16])(
        torch.tensor([[[99.0, 99, 0, 0], [99, 99, 0, 0]]]), priors
    )
    centres = (made[0, :, 0] + made[0, :, 2]) / 2
    assert centres.tolist() == pytest.approx([8 * 1.1, 16], abs=1e-5)


def test_boxes_are_finite_whatever_a_network_says() -> None:
    made = torch.tensor(boxes([1e30, -1e30, 1e30, -1e30], [4, 4, 8, 8, 8]))
    assert made.isfinite().all()


def test_boxes_of_half_precision_tell_pixels_apart() -> None:
    priors = AnchorPriors([8], [[[8.0, 8.0]]])(torch.empty(1, 6, 1, 300, dtype=torch.bfloat16))
    made = AnchorBoxes([1.0], [8])(torch.zeros(1, 300, 4, dtype=torch.bfloat16), priors)
    assert made.dtype == torch.float32
    assert (made[0, -1] - made[0, -2]).tolist() == [8, 0, 8, 0]


def test_scores_are_of_an_object_and_of_its_class() -> None:
    logits, objectness = torch.tensor([[[0.0, 3.0, 0.0]]]), torch.tensor([[[0.0]]])
    each = ObjectScores(exclusive=False)(logits, objectness)
    torch.testing.assert_close(each, 0.5 * logits.sigmoid())
    assert ObjectScores(exclusive=True)(logits, objectness).sum().item() == pytest.approx(0.5)


def test_a_fresh_prediction_says_the_anchor_and_how_likely_an_object_is() -> None:
    layer = AnchorPrediction(4, 2, 3, first_bias=-1.5)
    rows = AnchorPoints(2)(layer(torch.zeros(1, 4, 1, 1)))
    assert rows[0].tolist() == [[0, 0, 0, 0, -1.5, 0, 0, 0]] * 2


def test_a_training_settles_in_its_first_batches_and_never_elsewhere() -> None:
    settling, maps = Settling(2), torch.empty(1)
    assert settling.eval()(maps).tolist() == [0]
    assert [settling.train()(maps).item() for _ in range(3)] == [1, 1, 0]
    later = Settling(2)
    later.load_state_dict(settling.state_dict())  # of a training that goes on
    assert later(maps).item() == 0
