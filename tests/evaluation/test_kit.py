"""A run's settings with those of a design laid over them."""

import pytest

from evonas.blueprint import Blueprint
from evonas.errors import SettingsError
from evonas.evaluation.kit import compression_of, recipe_of
from evonas.settings import CompressionSettings, TrainingSettings

OF_RUN = CompressionSettings.model_validate({"pruning": {"method": "channels", "ratio": 0.5}})


def test_a_design_says_no_more_than_it_brings_along() -> None:
    design = Blueprint({}, {"lr0": 0.2}, {"pruning": {"ratio": 0.25, "ratios": [0.1, 0.2]}})
    assert recipe_of(TrainingSettings(epochs=3), design).epochs == 3
    found = compression_of(OF_RUN, design).pruning
    assert (found.method, found.ratio, found.ratios) == ("channels", 0.25, (0.1, 0.2))
    assert compression_of(OF_RUN, Blueprint({})) is OF_RUN


@pytest.mark.parametrize("section", [{"pruning": {"rate": 1}}, {"shrinking": {"method": "all"}}])
def test_a_key_that_compression_does_not_have_is_told(
    section: dict[str, dict[str, object]],
) -> None:
    with pytest.raises(SettingsError, match=r"there is no key|pruning.rate"):
        compression_of(OF_RUN, Blueprint({}, compression=section))
