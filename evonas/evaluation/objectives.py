"""Measures that a search can optimise or be constrained by. A new one is a function and a line."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from evonas.errors import SettingsError
from evonas.registry import did_you_mean, unknown_name
from evonas.settings import Limits, Settings

if TYPE_CHECKING:  # who reads a run takes no measure, and needs no torch
    from evonas.evaluation.subject import Subject

Direction = Literal["maximise", "minimise"]
# count: from the plan, on the meta device, free; build: needs the network in memory and maybe
# the device's time; train: needs a training. Cheap ones are taken, and constraints on them
# checked, before dear ones.
Cost = Literal["count", "build", "train"]


def taken_otherwise(subject: "Subject") -> float:
    """Stands in for a measure that no subject gives: a user's own, or one that is computed."""
    raise AssertionError("a user's measure is the user's to take, and a derived one is computed")


@dataclass(frozen=True)
class Derivation:
    """How a measure is computed from those that it `needs`, which are taken and not derived.

    `formula` gets measures by name, these among them. `group` names the settings that are for
    this measure alone; the formula raises a SettingsError if they do not suffice.
    """

    needs: tuple[str, ...]
    formula: Callable[[Mapping[str, float], Settings], float]
    group: str = ""


@dataclass(frozen=True)
class Objective:
    """A named number with a unit and a direction; directions live here and nowhere else.

    `measure` takes it of a subject, unless a `derivation` says how it is computed. No design's
    value is outside `bounds`.
    """

    name: str
    unit: str
    direction: Direction
    cost: Cost
    measure: Callable[["Subject"], float] = taken_otherwise
    derivation: Derivation | None = None
    bounds: tuple[float, float] = (0, math.inf)

    def fitness(self, value: float) -> float:
        """Larger is better."""
        return value if self.direction == "maximise" else -value


def score(subject: "Subject", name: str) -> float:
    """How the trained network does on the validation images (see `training.scoring`)."""
    return float(getattr(subject.trained.scores, name))


def train_seconds(subject: "Subject") -> float:
    """Wall-clock seconds of the training and its validation."""
    return subject.trained.seconds


def latency_ms(subject: "Subject") -> float:
    """Milliseconds for one batch on this device (see `hardware.latency`)."""
    return subject.latency.ms


def macs(subject: "Subject") -> float:
    """Multiply-adds for one image."""
    return subject.count.macs


def parameters(subject: "Subject") -> float:
    """Trainable numbers."""
    return subject.count.parameters


def size_mib(subject: "Subject") -> float:
    """Parameters as 32-bit numbers, in MiB."""
    return subject.count.parameters * 4 / 2**20


def proxy_score(subject: "Subject", proxy: str) -> float:
    """A guess from the untrained network alone, larger is better (see `proxies`)."""
    return subject.score(proxy)


def peak_memory_mib(subject: "Subject") -> float:
    """MiB of weights and maps that one inference needs (see `hardware.memory`)."""
    return subject.peak_memory / 2**20


def mnasnet_reward(measures: Mapping[str, float], settings: Settings) -> float:
    """ACC x (LAT / T) ^ w: accuracy and latency as one number, in the unit of the accuracy.

    w is `reward.alpha` if LAT <= T and `reward.beta` if not; both are at most 0, LAT and T are
    milliseconds above 0 (MnasNet, Tan et al. 2019, arXiv 1807.11626, equations 2 and 3).

    Raises:
        SettingsError: `reward.target_ms`, which is T, is not set.
        ValueError: A latency of 0 or less.
        OverflowError: No float is as large.

    >>> from evonas.settings import RewardSettings
    >>> soft = Settings(reward=RewardSettings(target_ms=80))
    >>> round(mnasnet_reward({"accuracy": 0.75, "latency_ms": 160}, soft), 4)
    0.7145
    """
    reward = settings.reward
    if reward.target_ms is None:
        raise SettingsError(
            "mnasnet_reward needs reward.target_ms=NUMBER, the latency in ms to aim at."
        )
    ratio = measures["latency_ms"] / reward.target_ms
    return measures["accuracy"] * math.pow(ratio, reward.alpha if ratio <= 1 else reward.beta)


ANY_NUMBER = (-math.inf, math.inf)

# Of all that `proxies` has, which needs torch.
PROXY_NAMES = ("synflow", "naswot", "jacob_cov", "grad_norm", "snip", "zen")

ACCURACIES = ("accuracy", "balanced_accuracy", "top5_accuracy")

OBJECTIVES: Mapping[str, Objective] = {
    **{
        name: Objective(name, "", "maximise", "train", partial(score, name=name), bounds=(0, 1))
        for name in ACCURACIES
    },
    "loss": Objective("loss", "", "minimise", "train", partial(score, name="loss")),
    "train_seconds": Objective("train_seconds", "s", "minimise", "train", train_seconds),
    "latency_ms": Objective("latency_ms", "ms", "minimise", "build", latency_ms),
    "macs": Objective("macs", "", "minimise", "count", macs),
    "parameters": Objective("parameters", "", "minimise", "count", parameters),
    "size_mib": Objective("size_mib", "MiB", "minimise", "count", size_mib),
    "peak_memory_mib": Objective("peak_memory_mib", "MiB", "minimise", "count", peak_memory_mib),
    "mnasnet_reward": Objective(
        "mnasnet_reward",
        "",
        "maximise",
        "train",
        derivation=Derivation(("accuracy", "latency_ms"), mnasnet_reward, "reward"),
    ),
    **{
        name: Objective(
            name, "", "maximise", "build", partial(proxy_score, proxy=name), bounds=ANY_NUMBER
        )
        for name in PROXY_NAMES
    },
}

DERIVATIONS: Mapping[str, Derivation] = {
    name: objective.derivation for name, objective in OBJECTIVES.items() if objective.derivation
}


def needs_of(name: str) -> tuple[str, ...]:
    """What is taken to know a measure: itself, or all that it is computed from."""
    return DERIVATIONS[name].needs if name in DERIVATIONS else (name,)


def how_computed(name: str) -> str:
    """`evonas computes mnasnet_reward from accuracy and latency_ms`, for messages."""
    return f"evonas computes {name} from {' and '.join(needs_of(name))}"


def asked_measures(settings: Settings, objectives: Iterable[Objective]) -> list[str]:
    """Names of the objectives, constraints and targets of a search, each once."""
    named = [*(objective.name for objective in objectives), *settings.constraints]
    return list(dict.fromkeys([*named, *settings.budget.target]))


def taken_measures(settings: Settings, objectives: Iterable[Objective]) -> list[str]:
    """Names of what has to be taken to know all that is asked for."""
    asked = asked_measures(settings, objectives)
    return list(dict.fromkeys(need for name in asked for need in needs_of(name)))


def derived_measures(
    names: Iterable[str], measures: Mapping[str, float], settings: Settings
) -> dict[str, float]:
    """Those of the names that can be computed from the measures; none that is not finite."""
    found = {}
    for name in names:
        if name in DERIVATIONS and all(need in measures for need in needs_of(name)):
            with suppress(ArithmeticError, ValueError):
                found[name] = DERIVATIONS[name].formula(measures, settings)
    return {name: value for name, value in found.items() if math.isfinite(value)}


def check_derived(settings: Settings, objectives: Iterable[Objective]) -> Iterator[str]:
    """What derived measures lack of their settings, and settings of such that nobody asks for."""
    asked = asked_measures(settings, objectives)
    for name, derivation in DERIVATIONS.items():
        if name in asked:
            try:
                derived_measures([name], dict.fromkeys(derivation.needs, 1.0), settings)
            except SettingsError as error:
                yield from error.problems
        elif derivation.group:
            group = getattr(settings, derivation.group)
            usual = type(group)()
            for key in (key for key, value in group if value != getattr(usual, key)):
                yield (
                    f"{derivation.group}.{key} has no effect: nothing asks for {name}. Name that "
                    f"among the objectives, or leave {derivation.group}.{key} out."
                )


def measure_scale(name: str, measured: str) -> str:
    """The scale that a measure describes: what is trained or scored is the proxy, else `measured`.

    >>> [measure_scale(name, "full") for name in ("accuracy", "synflow", "macs", "mnasnet_reward")]
    ['proxy', 'proxy', 'full', 'proxy and full']
    """
    of_proxy = [is_trained(need) or need in PROXY_NAMES for need in needs_of(name)]
    scales = ["proxy" if one else measured for one in of_proxy]
    return " and ".join(dict.fromkeys(scales))


def measure_scales(settings: Settings, names: Iterable[str]) -> dict[str, str]:
    """The scale that each measure describes; nothing for a user's own measures."""
    if settings.evaluator.name != "train":
        return dict.fromkeys(names, "")
    return {name: measure_scale(name, settings.measure.scale) for name in names}


def is_trained(name: str) -> bool:
    """True if a training gives the measure: a longer one gives another value."""
    return name in OBJECTIVES and OBJECTIVES[name].cost == "train"


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
    return known.get(name) or Objective(name, "", DIRECTIONS[direction], "train", bounds=ANY_NUMBER)


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


def excess(measures: Mapping[str, float], constraints: Mapping[str, Limits]) -> float | None:
    """By how much the worst constraint is broken, relative to its limit; at most 0 if none is.

    None if no constrained measure is known. A limit nearer to 0 than 1e-12 counts as 1.
    """
    found = []
    for name, limits in constraints.items():
        value = measures.get(name, math.nan)
        if limits.min is not None:
            found.append((limits.min - value) / _size(limits.min))
        if limits.max is not None:
            found.append((value - limits.max) / _size(limits.max))
    return max((one for one in found if math.isfinite(one)), default=None)


def _size(limit: float) -> float:
    return abs(limit) if abs(limit) > 1e-12 else 1.0


def is_within(measures: Mapping[str, float], limits: Mapping[str, Limits]) -> bool:
    """True if all limited measures are there and inside their limits."""
    return all(math.isfinite(measures.get(name, math.nan)) for name in limits) and not violations(
        measures, limits
    )
