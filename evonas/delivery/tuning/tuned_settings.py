"""Which settings of a training are tuned, and between which values: ranges around a recipe."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evonas.errors import SettingsError
from evonas.registry import pick
from evonas.settings import TrainingSettings
from evonas.tasks import foreign_settings
from evonas.tasks.task import Task

DIGITS = 4  # significant ones of a value that is tried, so that a recipe can be read
Value = float


@dataclass(frozen=True)
class Even:
    """All values between the ends are as likely; those of the recipe lie between them too."""

    low: float
    high: float
    is_log = False

    def ends(self, base: Value) -> tuple[float, float] | None:
        """The ends for a recipe with this value; None: there it is off, and stays so."""
        return min(self.low, base), max(self.high, base)

    def coordinate(self, value: Value) -> float:
        """What a sampler sees of a value."""
        return value

    def value(self, coordinate: float) -> Value:
        """The value that a sampler means."""
        return float(f"{coordinate:.{DIGITS}g}")


@dataclass(frozen=True)
class Times(Even):
    """Up to so many times more or less than the recipe has; even in the logarithm."""

    low: float = 0.0
    high: float = math.inf
    times: float = 5.0
    is_log = True

    def ends(self, base: Value) -> tuple[float, float] | None:
        if base <= 0:
            return None
        low, high = max(self.low, base / self.times), min(self.high, base * self.times)
        return min(low, base), max(high, base)


@dataclass(frozen=True)
class Rest(Even):
    """Of a share of the past that is kept: even in the logarithm of what is left of it to 1."""

    is_log = True

    def ends(self, base: Value) -> tuple[float, float] | None:
        if base <= 0:
            return None
        rest = self.coordinate(base)
        return min(1 - self.high, rest), max(1 - self.low, rest)

    def coordinate(self, value: Value) -> float:
        return 1 - value

    def value(self, coordinate: float) -> Value:
        return round(1 - coordinate, DIGITS + 1)


# Ends are those of search_spaces/image_heuristics.yaml and detection_heuristics.yaml.
RANGES: Mapping[str, Even] = {
    "lr_factor": Times(times=5),
    "lrf": Times(high=1, times=10),
    "momentum": Rest(0.6, 0.98),
    "weight_decay": Times(times=10),
    "label_smoothing": Even(0, 0.2),
    "ema": Rest(0.9, 0.9998),
    "clip_gradients": Times(times=5),
    "residual_init": Even(0.1, 1),
    "shift_init": Even(0, 2),
    "gate_init": Even(0, 2),
    "translate": Even(0, 0.2),
    "scale": Even(0, 0.5),
    "degrees": Even(0, 15),
    "shear": Even(0, 10),
    "fliplr": Even(0, 0.5),
    "flipud": Even(0, 0.5),
    "hsv_h": Even(0, 0.1),
    "hsv_s": Even(0, 0.7),
    "hsv_v": Even(0, 0.4),
    "contrast": Even(0, 0.4),
    "cutout": Even(0, 0.5),
    "erasing": Even(0, 0.5),
    "gridmask": Even(0, 0.7),
    "mixup": Even(0, 1),
    "mixup_alpha": Times(times=5),
    "cutmix": Even(0, 1),
    "cutmix_alpha": Times(times=5),
    "self_adversarial": Even(0, 0.5),
    "mosaic": Even(0, 1),
    "crop": Even(0, 1),
    "expand": Even(0, 0.5),
    "interpolate": Even(0, 1),
    "multi_scale": Even(0, 0.5),
    "box": Times(times=3),
    "cls": Times(times=3),
    "dfl": Times(times=3),
    "obj": Times(times=3),
    "location": Times(times=3),
    "dropout": Even(0, 0.5),
    "spatial_dropout": Even(0, 0.2),
    "drop_connect": Even(0, 0.5),
    "drop_block": Even(0, 0.2),
    "neck_drop_block": Even(0, 0.2),
    "drop_path": Even(0, 0.3),
    "auxiliary": Even(0, 0.8),
    "layer_decay": Even(0.5, 1),
}


def tuned_settings(wanted: Sequence[str], name: str, task: Task) -> tuple[str, ...]:
    """The settings that are tuned: those that are wanted, or else those of the task.

    Args:
        name: The task's.

    Raises:
        SettingsError: One is not known, no number, or has no meaning in the task.
    """
    chosen = tuple(dict.fromkeys(key.removeprefix("training.") for key in wanted)) or task.tuned
    for key in chosen:
        if key in TrainingSettings.model_fields and key not in RANGES:
            raise SettingsError(
                f"tune.settings: {key} is not tuned. Known: {', '.join(sorted(RANGES))}."
            )
        pick(RANGES, key, "setting to be tuned")
        if (why := foreign_settings(name).get(key)) is not None:
            raise SettingsError(f"tune.settings: {key} {why}")
    return chosen


def ranges_around(
    recipe: TrainingSettings, names: Sequence[str]
) -> dict[str, tuple[float, float, bool]]:
    """The ends of what a sampler sees of each setting, and whether it is even in the logarithm.

    What is off in the recipe, and has no range around that, is left out.
    """
    found = {}
    for name in names:
        ends = RANGES[name].ends(getattr(recipe, name))
        if ends is not None:
            found[name] = (*ends, RANGES[name].is_log)
    return found


def coordinates_of(recipe: TrainingSettings, names: Sequence[str]) -> dict[str, float]:
    """What a sampler sees of a recipe."""
    return {name: RANGES[name].coordinate(getattr(recipe, name)) for name in names}


def values_at(coordinates: Mapping[str, float]) -> dict[str, Value]:
    """The settings that a sampler means."""
    return {name: RANGES[name].value(own) for name, own in coordinates.items()}
