"""What `networks` has to know about each way of writing a network down: its grammar."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evonas.errors import BuildError
from evonas.networks.plan import Part, Plan
from evonas.networks.rules import Rules
from evonas.networks.scale import Scale

Tidied = tuple[dict[str, Any], tuple[str, ...]]
Words = Mapping[str, int]  # how often each word occurs


def no_fewer_blocks(network: Mapping[str, Any], shares: Sequence[float]) -> dict[str, Any]:
    """For networks that are not made of blocks that could be left out."""
    raise BuildError(
        "compression.pruning.method=depth: only networks of stages have blocks that can go, and "
        f"this one is a network of {network['builder']}. Write method: channels or weights."
    )


def counting(network: Mapping[str, Any], classes: int) -> dict[str, Any]:
    """For networks that are planned by the number of classes that the section says."""
    return {**network, "classes": classes}


@dataclass(frozen=True)
class Grammar:
    """What a network section may say (`rules`), and functions of it.

    See the functions of the same names in `networks`; `plan`, `narrowed`, `shallower` and
    `with_classes` take what `scaled` gives. `task` is what its networks can learn, a name in
    `tasks.TASKS`. `strides`: of the maps that its networks predict from, of a scaled section;
    nothing where they see an image as a whole.
    """

    rules: Rules
    tidied: Callable[[Mapping[str, Any]], Tidied]
    short: Callable[[Mapping[str, Any]], dict[str, Any]]
    scaled: Callable[[Mapping[str, Any], Scale], dict[str, Any]]
    meaning: Callable[[Mapping[str, Any]], Any]
    built_meaning: Callable[[Mapping[str, Any]], Any]
    aligned: Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]
    words: Callable[[Mapping[str, Any]], list[Words]]
    plan: Callable[[Mapping[str, Any]], Plan]
    narrowed: Callable[[Mapping[str, Any], Sequence[float]], dict[str, Any]]
    shallower: Callable[[Mapping[str, Any], Sequence[float]], dict[str, Any]] = no_fewer_blocks
    with_classes: Callable[[Mapping[str, Any], int], dict[str, Any]] = counting
    task: str = "classification"
    strides: Callable[[Mapping[str, Any]], tuple[int, ...]] = lambda network: ()


def as_it_is(network: Mapping[str, Any]) -> Tidied:
    """For networks in which nothing can be chosen in vain."""
    return dict(network), ()


# Numbers of all norms and activations: torch's, and Darknet's slope.
CONSTANTS: Mapping[str, float] = {"norm_eps": 1e-5, "norm_momentum": 0.1, "leaky_slope": 0.1}

# What every network section may say, and what it means if it does not.
DEFAULTS: Mapping[str, Any] = {
    "norm": "batch",
    "initialisation": "auto",
    "drop_path": 0,
    **CONSTANTS,
}

# The words without which a constant changes nothing; of norms, batch is what is meant by none.
_HOLDERS: Mapping[str, Sequence[str]] = {
    "norm_eps": ("batch", "group"),
    "norm_momentum": ("batch",),
    "leaky_slope": ("leaky",),
}


def without_defaults(network: Mapping[str, Any]) -> dict[str, Any]:
    """The section without keys that say what is meant anyway, or that change nothing."""
    said = {k: v for k, v in network.items() if k not in DEFAULTS or v != DEFAULTS[k]}
    full = {"norm": DEFAULTS["norm"], **network}
    idle = {key for key in CONSTANTS.keys() & said if not _holds(full, _HOLDERS[key])}
    return {key: value for key, value in said.items() if key not in idle}


def _holds(value: Any, words: Sequence[str]) -> bool:
    """Whether one of the words is a value in here, however deep."""
    if isinstance(value, Mapping):
        return any(_holds(inner, words) for inner in value.values())
    if isinstance(value, list | tuple):
        return any(_holds(inner, words) for inner in value)
    return value in words


def classifier_plan(network: Mapping[str, Any], parts: Sequence[Part]) -> Plan:
    """The plan of a scaled section whose last part gives the logits."""
    return network_plan(network, parts, (parts[-1].name,))


def network_plan(
    network: Mapping[str, Any],
    parts: Sequence[Part],
    outputs: tuple[str, ...],
    deployed: tuple[str, ...] = (),
) -> Plan:
    """The plan of a scaled section; see `Plan` for its outputs."""
    channels, height, width = network["input"]
    short = without_defaults(network)
    constants = {key: short[key] for key in CONSTANTS if key in short}
    shape = (channels, height, width)
    return Plan(tuple(parts), shape, outputs, constants=constants, deployed=deployed)


def filled(
    values: Mapping[str, Any], template: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """The values with those defaults written out that a space writes out."""
    wanted = {key: defaults[key] for key in defaults if key in template and key not in values}
    return {**values, **wanted}


def with_defaults(network: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    """For grammars that write a network in one way only, but for defaults.

    Constants are those of the space: a published design in it is one by its layers.
    """
    silent = CONSTANTS.keys() - template.keys()
    kept = {key: value for key, value in network.items() if key not in silent}
    return filled(kept, template, DEFAULTS)
