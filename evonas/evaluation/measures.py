"""All that evonas measures. A new measure is a function and a line in `MEASURES`.

Loads without torch: who reads a run asks for units and directions, and takes nothing.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from evonas.errors import SettingsError
from evonas.networks.detector.heads import says_once
from evonas.settings import Settings
from evonas.tasks import TASKS
from evonas.tasks.task import Task

if TYPE_CHECKING:
    from evonas.evaluation.bench import Bench

Direction = Literal["maximise", "minimise"]
# count: from the plan, on the meta device, free; build: needs the network in memory and maybe
# the device's time; train: needs a training; compress: compares what is made of the trained network
# with that. Scores need both, and a design of which nothing is made needs no more than a training.
# Cheap measures are taken, and constraints on them checked, before expensive ones.
Cost = Literal["count", "build", "train", "compress"]
COSTS: tuple[Cost, ...] = ("count", "build", "train", "compress")
BEFORE_TRAINING = ("count", "build")
ANY_NUMBER = (-math.inf, math.inf)


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
class Measure:
    """A number with a unit and a direction; directions live here and nowhere else.

    `take` takes it of a design on the bench; of a computed measure it is a `Derivation`. No
    design's value is outside `bounds`. `task`: the one that alone has it, a name in `TASKS`.
    """

    unit: str
    direction: Direction
    cost: Cost
    take: "Callable[[Bench], float] | Derivation"
    bounds: tuple[float, float] = (0, math.inf)
    task: str = ""


def score(bench: "Bench", name: str) -> float:
    """How the network that is deployed does on the validation images (see `tasks`)."""
    return bench.scores()[name]


def score_before(bench: "Bench", name: str) -> float:
    """The same of the trained network, before anything is made of it."""
    return bench.trained().scores[name]


def compression_loss(bench: "Bench") -> float:
    """What the main score loses by what is made of the trained network."""
    main = bench.kit.task.main
    return bench.trained().scores[main] - bench.scores()[main]


def compress_seconds(bench: "Bench") -> float:
    """Wall-clock seconds of all that is made of the trained network, without its validation."""
    return bench.deployed().seconds if bench.is_compressed else 0.0


def train_seconds(bench: "Bench") -> float:
    """Wall-clock seconds of the training and its validation."""
    return bench.trained().seconds


def latency_ms(bench: "Bench") -> float:
    """Milliseconds for one batch on this device (see `hardware.latency`)."""
    return bench.latency().ms


def latency_before_ms(bench: "Bench") -> float:
    """The same of the network that is trained, before anything is made of it."""
    return bench.latency(is_before=True).ms


def latency_raw_ms(bench: "Bench") -> float:
    """The same of a detector without decoding: how latencies are often published."""
    from evonas.evaluation.artefact import undecoded

    return bench.latency(undecoded).ms


def latency_nms_ms(bench: "Bench") -> float:
    """The same of a detector with non-maximum suppression inside, of a crowded image.

    Of a head that says each thing once nothing is suppressed: it is `latency_ms`.
    """
    from evonas.evaluation.artefact import suppressed

    if says_once(bench.plan(bench.kit.deployed).outputs):
        return latency_ms(bench)
    return bench.latency(suppressed).ms


def macs(bench: "Bench") -> float:
    """Multiply-adds for one image."""
    return bench.count.macs


def parameters(bench: "Bench") -> float:
    """Trainable numbers."""
    return bench.count.parameters


def size_mib(bench: "Bench") -> float:
    """MiB of the weights as they are shipped (see `compression`): of 32 bits, unless packed."""
    return bench.stored_bytes() / 2**20


def size_before_mib(bench: "Bench") -> float:
    """The same of the network that is trained, before anything is made of it."""
    return bench.stored_bytes(is_before=True) / 2**20


def peak_memory_mib(bench: "Bench") -> float:
    """MiB of weights and maps that one inference needs (see `hardware.memory`)."""
    return bench.peak_memory() / 2**20


def proxy_score(bench: "Bench", proxy: str) -> float:
    """A guess from the untrained network alone, larger is better (see `proxies`)."""
    return bench.score(proxy)


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


def before(task: Task) -> str:
    """What the main score of the trained network is called, before anything is made of it."""
    return f"{task.main}_before"


# Of all that `proxies` has, which needs torch.
PROXY_NAMES = ("synflow", "naswot", "jacob_cov", "grad_norm", "snip", "zen")

# Of the clock.
LATENCIES = frozenset(("latency_ms", "latency_before_ms", "latency_raw_ms", "latency_nms_ms"))
OF_TRAINED = ("train", "compress")  # costs of what a training has to be done for

MEASURES: Mapping[str, Measure] = {
    **{
        name: Measure(own.unit, own.direction, "train", partial(score, name=name), own.bounds)
        for task in TASKS.values()
        for name, own in task.measures.items()
    },
    **{
        before(task): Measure(own.unit, own.direction, "compress", take, own.bounds)
        for task in TASKS.values()
        for own in [task.measures[task.main]]
        for take in [partial(score_before, name=task.main)]
    },
    "compression_loss": Measure("", "minimise", "compress", compression_loss, ANY_NUMBER),
    "compress_seconds": Measure("s", "minimise", "compress", compress_seconds),
    "train_seconds": Measure("s", "minimise", "train", train_seconds),
    "latency_ms": Measure("ms", "minimise", "build", latency_ms),
    "latency_before_ms": Measure("ms", "minimise", "build", latency_before_ms),
    "latency_raw_ms": Measure("ms", "minimise", "build", latency_raw_ms, task="detection"),
    "latency_nms_ms": Measure("ms", "minimise", "build", latency_nms_ms, task="detection"),
    "macs": Measure("", "minimise", "count", macs),
    "parameters": Measure("", "minimise", "count", parameters),
    "size_mib": Measure("MiB", "minimise", "count", size_mib),
    "size_before_mib": Measure("MiB", "minimise", "count", size_before_mib),
    "peak_memory_mib": Measure("MiB", "minimise", "count", peak_memory_mib),
    "mnasnet_reward": Measure(
        "",
        "maximise",
        "train",
        Derivation(("accuracy", "latency_ms"), mnasnet_reward, "reward"),
    ),
    **{
        name: Measure("", "maximise", "build", partial(proxy_score, proxy=name), ANY_NUMBER)
        for name in PROXY_NAMES
    },
}


def derivations() -> dict[str, Derivation]:
    """The measures that evonas computes, by name."""
    takes = {name: measure.take for name, measure in MEASURES.items()}
    return {name: take for name, take in takes.items() if isinstance(take, Derivation)}


def derivation(name: str) -> Derivation | None:
    """How a measure is computed; None if it is taken, or evonas does not know it."""
    take = MEASURES[name].take if name in MEASURES else None
    return take if isinstance(take, Derivation) else None


def needs_of(name: str) -> tuple[str, ...]:
    """What is taken to know a measure: itself, or all that it is computed from."""
    computed = derivation(name)
    return (name,) if computed is None else computed.needs


def how_computed(name: str) -> str:
    """`evonas computes mnasnet_reward from accuracy and latency_ms`, for messages."""
    return f"evonas computes {name} from {' and '.join(needs_of(name))}"


def measure_scale(name: str, measured: str) -> str:
    """The scale that a measure describes: what is trained or scored is the proxy, else `measured`.

    >>> [measure_scale(name, "full") for name in ("accuracy", "synflow", "macs", "mnasnet_reward")]
    ['proxy', 'proxy', 'full', 'proxy and full']
    """
    of_proxy = [is_trained(need) or need in PROXY_NAMES for need in needs_of(name)]
    scales = ["proxy" if is_proxy else measured for is_proxy in of_proxy]
    return " and ".join(dict.fromkeys(scales))


def measure_scales(settings: Settings, names: Iterable[str]) -> dict[str, str]:
    """The scale that each measure describes; nothing for a user's own measures."""
    if not settings.evaluator.trains:
        return dict.fromkeys(names, "")
    return {name: measure_scale(name, settings.measure.scale) for name in names}


def is_trained(name: str) -> bool:
    """True if a training gives the measure: a longer one gives another value."""
    return name in MEASURES and MEASURES[name].cost in OF_TRAINED
