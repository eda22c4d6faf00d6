"""Where values stand, and which ticks are written beside an axis."""

import math

import pytest

from evonas.reports.svg.axis import linear_axis, log_axis, tight_axis


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.31, 0.94], (0.2, 0.4, 0.6, 0.8, 1.0)),
        ([3, 3], (1, 2, 3, 4, 5)),
        ([0, 0], (-1.0, -0.5, 0.0, 0.5, 1.0)),
        ([-2e6, 7e6], (-2e6, 0, 2e6, 4e6, 6e6, 8e6)),
    ],
)
def test_a_linear_axis_ends_at_round_values_around_its_own(
    values: list[float], ticks: tuple[float, ...]
) -> None:
    axis = linear_axis(values, 200, 0)
    assert axis.ticks == pytest.approx(ticks)
    assert (axis.at(axis.low), axis.at(axis.high)) == (200, 0)


def test_a_tight_axis_ends_at_its_values_and_counts_have_whole_ticks() -> None:
    axis = tight_axis([0, 3], 0, 600, smallest_step=1)
    assert axis.ticks == (0, 1, 2, 3)
    assert (axis.at(0), axis.at(3)) == (0, 600)
    assert tight_axis([0, 17], 0, 600).ticks[-1] <= 17


@pytest.mark.parametrize("values", [[0.03, 2.4], [1e-9, 5e3], [1, 1], [2, 40]])
def test_a_logarithmic_axis_holds_its_values_between_round_ones(values: list[float]) -> None:
    axis = log_axis(values, 0, 100)
    assert axis.low <= min(values) <= max(values) <= axis.high
    assert axis.low < axis.high
    assert axis.ticks
    middle = math.sqrt(axis.low * axis.high)
    assert axis.at(middle) == pytest.approx(50)
