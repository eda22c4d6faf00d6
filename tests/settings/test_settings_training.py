"""The training recipe: what it takes and refuses."""

import pytest

from evonas.errors import SettingsError
from evonas.settings import TrainingSettings, validate


@pytest.mark.parametrize(
    ("key", "value"),
    [("mosaic", 1.5), ("close_mosaic", -1), ("nms_iou", 0), ("box", -0.1), ("assigner", "atss")],
)
def test_a_value_that_a_detector_cannot_be_trained_with_is_refused_by_name(
    key: str, value: object
) -> None:
    with pytest.raises(SettingsError, match=f"training, {key}"):
        validate(TrainingSettings, {key: value}, "training")


def test_a_mosaic_closes_by_epochs_or_by_a_share() -> None:
    assert TrainingSettings().close_mosaic < 1
    assert validate(TrainingSettings, {"close_mosaic": 10}, "training").close_mosaic == 10
