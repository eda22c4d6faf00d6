"""Ranges around a recipe."""

import pytest

from evonas.delivery.tuning.tuned_settings import (
    RANGES,
    coordinates_of,
    ranges_around,
    values_at,
)
from evonas.settings import TrainingSettings
from evonas.tasks import TASKS


def test_every_end_of_every_range_is_a_value_that_the_setting_takes() -> None:
    for recipe in (TrainingSettings(), TrainingSettings(ema=0.99, clip_gradients=10.0)):
        for name, (low, high, is_log) in ranges_around(recipe, [*RANGES]).items():
            assert low < high, name
            assert low > 0 or not is_log, name
            for end in (low, high):
                TrainingSettings(**values_at({name: end}))


def test_the_recipe_lies_within_its_ranges() -> None:
    recipe = TrainingSettings(translate=0.5, momentum=0.999, lrf=2.0)
    names = [*ranges_around(recipe, [*RANGES])]
    for name, own in coordinates_of(recipe, names).items():
        low, high, _ = ranges_around(recipe, [name])[name]
        assert low <= own <= high, name


def test_what_is_off_stays_off() -> None:
    assert ranges_around(TrainingSettings(weight_decay=0.0), ["weight_decay", "ema"]) == {}


@pytest.mark.parametrize("task", [*TASKS])
def test_what_a_task_tunes_has_a_range(task: str) -> None:
    assert {*TASKS[task].tuned} <= RANGES.keys()
