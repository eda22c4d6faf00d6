import pytest
import torch

from evonas.tasks.detection.variation.box_rows import cut, packed, rows_of, square


def rows(*labels: list[float]) -> torch.Tensor:
    return rows_of(torch.tensor([labels]))


@pytest.mark.parametrize(
    ("box", "rest"),
    [
        ([2, 3, 8, 9], [2, 3, 8, 9]),
        ([-5, -5, 15, 15], [0, 0, 10, 10]),
        ([-8, 0, 4, 10], [0, 0, 4, 10]),
        ([-8.5, 0, 1.5, 10], None),  # a side of 1.5 px
        ([-48, 0, 2, 10], None),  # a 25th is left
        ([12, 0, 20, 10], None),
    ],
)
def test_what_is_cut_off_is_clipped_and_dropped_if_little_is_left(
    box: list[float], rest: list[float] | None
) -> None:
    label = cut(rows([0.0, *box]), square(10))[0, 0]
    assert (label[1:5].tolist() if label[0] >= 0 else None) == rest


def test_rows_are_packed_in_their_order_into_a_multiple_of_eight() -> None:
    none = [-1.0, 0, 0, 0, 0]
    some = [[float(n), n, n, n + 1, n + 1] for n in range(9)]
    full = rows(none, *some[:4], none, *some[4:])
    short = rows(*[none] * 10, some[3])
    batch = packed(torch.cat([full, short]))
    assert batch.shape == (2, 16, 6)
    assert batch[0, :9].tolist() == [[*label, 1] for label in some]
    assert batch[1, 0].tolist() == [*some[3], 1]
    assert (batch[:, :, 0] == -1).sum() == 7 + 15


def test_a_batch_without_labels_has_eight_empty_rows() -> None:
    assert packed(rows([-1.0, 0, 0, 0, 0])).shape == (1, 8, 6)
