"""Measures that a search can optimise or be constrained by. A new one is a function and a line."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from evonas.errors import SettingsError
from evonas.evaluation.subject import Subject
from evonas.registry import did_you_mean, unknown_name
from evonas.settings import Limits

Direction = Literal["maximise", "minimise"]
# count: from the plan, on the meta device, free; build: needs the network in memory and maybe
# the device's time; train: needs a training. Cheap ones are taken, and constraints on them
# checked, before dear ones.
Cost = Literal["count", "build", "train"]


@dataclass(frozen=True)
class Objective:
    """A named number with a unit and a direction; directions live here and nowhere else."""

    name: str
    unit: str
    direction: Direction
    cost: Cost
    measure: Callable[[Subject], float]

    def fitness(self, value: float) -> float:
        """Larger is better."""
        return value if self.direction == "maximise" else -value


def accuracy(subject: Subject) -> float:
    """Share of validation images classified rightly."""
    return subject.trained.scores.accuracy


def loss(subject: Subject) -> float:
    """Mean cross-entropy on the validation images: smoother than accuracy."""
    return subject.trained.scores.loss


def train_seconds(subject: Subject) -> float:
    """Wall-clock seconds of the training and its validation."""
    return subject.trained.seconds


def latency_ms(subject: Subject) -> float:
    """Milliseconds for one batch on this device (see `hardware.latency`)."""
    return subject.latency.ms


def macs(subject: Subject) -> float:
    """Multiply-adds for one image."""
    return subject.count.macs


def parameters(subject: Subject) -> float:
    """Trainable numbers."""
    return subject.count.parameters


def size_mib(subject: Subject) -> float:
    """Parameters as 32-bit numbers, in MiB."""
    return subject.count.parameters * 4 / 2**20


OBJECTIVES: Mapping[str, Objective] = {
    "accuracy": Objective("accuracy", "", "maximise", "train", accuracy),
    "loss": Objective("loss", "", "minimise", "train", loss),
    "train_seconds": Objective("train_seconds", "s", "minimise", "train", train_seconds),
    "latency_ms": Objective("latency_ms", "ms", "minimise", "build", latency_ms),
    "macs": Objective("macs", "", "minimise", "count", macs),
    "parameters": Objective("parameters", "", "minimise", "count", parameters),
    "size_mib": Objective("size_mib", "MiB", "minimise", "count", size_mib),
}


def measure_scale(name: str, measured: str) -> str:
    """The scale that a measure describes: what is trained is the proxy, the rest `measured`."""
    known = OBJECTIVES.get(name)
    return "proxy" if known and known.cost == "train" else measured


DIRECTIONS: Mapping[str, Direction] = {"max": "maximise", "min": "minimise"}


def parse_objective(text: str, known: Mapping[str, Objective], is_open: bool = False) -> Objective:
    """An objective from `accuracy`, or from `anything:max` for measures that evonas does not know.

    Args:
        is_open: Measures are a function's or a table's, and may have any name.

    Raises:
        SettingsError: No such objective, or a direction that is neither max nor min.
    """
    name, colon, direction = text.partition(":")
    if not colon:
        if name in known:
            return known[name]
        if is_open:
            hint = did_you_mean(known, name)
            raise SettingsError(
                f"objectives: {name} has no direction. {hint}Write {name}:max or {name}:min."
            )
        raise SettingsError(unknown_name(known, name, "objective"))
    if direction not in DIRECTIONS:
        raise SettingsError(
            f'objectives: "{text}" has no direction. Write {name}:max or {name}:min.'
        )
    if name in known and known[name].direction != DIRECTIONS[direction]:
        raise SettingsError(
            f"objectives: {name} is always {known[name].direction}d. Write {name} alone."
        )
    return known.get(name) or Objective(name, "", DIRECTIONS[direction], "train", given_by_user)


def given_by_user(subject: Subject) -> float:
    """Stands in for a measure that the user's own function takes."""
    raise AssertionError("a user's measure is taken by the user's function")


def violations(measures: Mapping[str, float], constraints: Mapping[str, Limits]) -> list[str]:
    """What breaks a constraint, in words; measures not taken yet break none."""
    found = []
    for name, limits in constraints.items():
        value = measures.get(name)
        if value is None:
            continue
        if limits.min is not None and not value >= limits.min:
            found.append(f"{name} is {value:.6g}, at least {limits.min:.6g} is asked")
        if limits.max is not None and not value <= limits.max:
            found.append(f"{name} is {value:.6g}, at most {limits.max:.6g} is asked")
    return found


def is_within(measures: Mapping[str, float], limits: Mapping[str, Limits]) -> bool:
    """True if all limited measures are there and inside their limits."""
    return all(math.isfinite(measures.get(name, math.nan)) for name in limits) and not violations(
        measures, limits
    )
