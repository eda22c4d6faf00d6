"""Every setting of a run, its default and its meaning; words and files that set them."""

from evonas.settings.compression import (
    STEP_SETTINGS,
    CompressionSettings,
    DistillationSettings,
    QuantisationSettings,
    QuantNoiseSettings,
    StepSettings,
    tidied_compression,
)
from evonas.settings.fields import Group, Limits, in_folder
from evonas.settings.run_settings import (
    CHANGEABLE_ON_RESUME,
    BudgetSettings,
    ConfirmSettings,
    DataSettings,
    EvaluatorSettings,
    EvolverSettings,
    ExecutorSettings,
    FidelitySettings,
    FilterSettings,
    FullSettings,
    LatencySettings,
    MeasureSettings,
    RewardSettings,
    RunSettings,
    Settings,
    ShapesSettings,
    SyntheticSettings,
)
from evonas.settings.training import TrainingSettings
from evonas.settings.tuning import TuneSettings
from evonas.settings.words import Words, parse_limits, validate

__all__ = [
    "CHANGEABLE_ON_RESUME",
    "STEP_SETTINGS",
    "BudgetSettings",
    "CompressionSettings",
    "ConfirmSettings",
    "DataSettings",
    "DistillationSettings",
    "EvaluatorSettings",
    "EvolverSettings",
    "ExecutorSettings",
    "FidelitySettings",
    "FilterSettings",
    "FullSettings",
    "Group",
    "LatencySettings",
    "Limits",
    "MeasureSettings",
    "QuantNoiseSettings",
    "QuantisationSettings",
    "RewardSettings",
    "RunSettings",
    "Settings",
    "ShapesSettings",
    "StepSettings",
    "SyntheticSettings",
    "TrainingSettings",
    "TuneSettings",
    "Words",
    "in_folder",
    "parse_limits",
    "tidied_compression",
    "validate",
]
