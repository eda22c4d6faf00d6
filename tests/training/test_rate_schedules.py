import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.settings import TrainingSettings
from evonas.training.rate_schedules import (
    SCHEDULES,
    constant,
    cosine,
    one_cycle,
    rate_course,
    rate_factor,
    step,
    warmup_share,
)

schedules = pytest.mark.parametrize("name", SCHEDULES)


@pytest.mark.parametrize(
    ("progress", "factor"), [(0, 0), (0.1, 0.25), (0.4, 1), (0.7, 0.505), (1, 0.01)]
)
def test_one_cycle_goes_up_and_down_in_straight_lines(progress: float, factor: float) -> None:
    assert one_cycle(progress, warmup_share=0.4, last=0.01) == pytest.approx(factor)


@pytest.mark.parametrize(
    ("progress", "factor"),
    [(0.1, 0.5), (0.2, 1), (0.4, 0.1 + 0.9 * (2 + math.sqrt(2)) / 4), (0.6, 0.55), (1, 0.1)],
)
def test_cosine_falls_along_half_a_wave(progress: float, factor: float) -> None:
    assert cosine(progress, warmup_share=0.2, last=0.1) == pytest.approx(factor)


@pytest.mark.parametrize(
    ("progress", "factor"),
    [(0.1, 0.5), (0.2, 1), (0.49, 1), (0.5, 0.1), (0.74, 0.1), (0.75, 0.01), (1, 0.01)],
)
def test_steps_divide_by_ten(progress: float, factor: float) -> None:
    assert step(progress, warmup_share=0.2, last=0.5) == pytest.approx(factor)


@pytest.mark.parametrize(("progress", "factor"), [(0, 0), (0.1, 0.5), (0.2, 1), (0.6, 1), (1, 1)])
def test_a_constant_rate_stays_after_the_warm_up(progress: float, factor: float) -> None:
    assert constant(progress, warmup_share=0.2, last=0.1) == pytest.approx(factor)


@schedules
def test_without_warm_up_a_schedule_starts_at_its_peak(name: str) -> None:
    assert SCHEDULES[name](0, 0, 0.01) == 1


@schedules
@settings(deadline=None, derandomize=True)
@given(
    steps=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
    warmup_share=st.floats(0.01, 0.45),
    last=st.floats(0, 1),
)
def test_the_factor_rises_to_1_and_falls_to_the_last(
    name: str, steps: list[float], warmup_share: float, last: float
) -> None:
    lowest = {"step": 0.01, "constant": 1.0}.get(name, last)
    earlier, later = (SCHEDULES[name](step, warmup_share, last) for step in steps)
    assert 0 <= earlier <= 1
    if steps[1] <= warmup_share:
        assert earlier <= later
    elif steps[0] >= warmup_share:
        assert earlier >= later - 1e-12
        assert later >= lowest - 1e-12
    assert SCHEDULES[name](warmup_share, warmup_share, last) == pytest.approx(1)
    assert SCHEDULES[name](1, warmup_share, last) == pytest.approx(lowest)


@pytest.mark.parametrize(
    ("warmup_epochs", "share"), [(None, 0.4), (0, 0), (1, 0.25), (2.5, 0.625), (4, 1), (9, 1)]
)
def test_warm_up_is_counted_in_epochs_and_never_longer_than_the_training(
    warmup_epochs: float | None, share: float
) -> None:
    assert warmup_share(TrainingSettings(epochs=4, warmup_epochs=warmup_epochs)) == share


def test_the_course_of_the_rates_drops_where_losses_stood_still() -> None:
    recipe = TrainingSettings(epochs=4, lr0=0.2, schedule="constant", warmup_epochs=1, plateau=1)
    course = rate_course(recipe, [2.0, 3.0, 1.0], parts=2)
    assert [done for done, _ in course] == [0, 0.5, 1, 1.5, 2, 2.5, 3]
    assert [rate for _, rate in course] == pytest.approx([0, 0.1, 0.2, 0.2, 0.2, 0.02, 0.02])


@schedules
@pytest.mark.parametrize("warmup_epochs", [None, 0, 1, 2, 3])
def test_every_rate_of_a_training_is_a_share_of_the_peak(
    name: str, warmup_epochs: float | None
) -> None:
    recipe = TrainingSettings(epochs=2, schedule=name, warmup_epochs=warmup_epochs)
    factors = [rate_factor(recipe, progress / 100) for progress in range(101)]
    assert min(factors) >= 0
    assert max(factors) <= 1
    if warmup_epochs is not None and warmup_epochs >= 2 and name != "step":
        assert factors == sorted(factors)
