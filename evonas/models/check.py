"""Whether every network that a space can express can be built: asked before anything is run."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from evonas.errors import SpaceError
from evonas.models.activations import ACTIVATIONS
from evonas.models.blocks import BLOCK_KEYS, BLOCKS
from evonas.registry import did_you_mean, unknown_name
from evonas.space.canonical import FOLDINGS, NO_SKIP
from evonas.space.gene import KeyPath
from evonas.space.search_space import SearchSpace

Rule = Callable[[Any], str | None]  # a value to what is wrong with it


def check_space(space: SearchSpace) -> None:
    """Holds every fixed value and every allele of the network section against the builder.

    Raises:
        SpaceError: With all problems, each with its place in the file.
    """
    alleles = {gene.key_path: _alleles(gene.describe()) for gene in space.genes}
    network = space.template["network"]
    problems = [
        f"{space.place(('network', *path))}: {problem}"
        for path, problem in _network_problems(network, alleles)
    ]
    if problems:
        raise SpaceError(problems)


def _network_problems(
    network: Any, alleles: Mapping[KeyPath, list[Any]]
) -> Iterator[tuple[KeyPath, str]]:
    builder = network.get("builder")
    if builder not in RULES:
        yield ("builder",), unknown_name(FOLDINGS, str(builder), "builder")
        return
    yield from _problems(network, RULES[builder], (), alleles)


def _problems(
    value: Any, rule: Any, path: KeyPath, alleles: Mapping[KeyPath, list[Any]]
) -> Iterator[tuple[KeyPath, str]]:
    full_path = ("network", *path)
    if callable(rule):
        for allele in alleles.get(full_path, [value]):
            problem = rule(allele)
            if problem:
                yield path, problem
    elif isinstance(rule, list):
        if not isinstance(value, list) or not value:
            yield path, "write a list with at least one entry."
            return
        for index, item in enumerate(value):
            yield from _problems(item, rule[0], (*path, index), alleles)
    elif not isinstance(value, dict) or full_path in alleles:
        yield path, f"write a mapping with the keys {', '.join(rule)}."
    else:
        yield from _mapping_problems(value, rule, path, alleles)


def _mapping_problems(
    value: Mapping[str, Any],
    rules: Mapping[str, Any],
    path: KeyPath,
    alleles: Mapping[KeyPath, list[Any]],
) -> Iterator[tuple[KeyPath, str]]:
    for key in value:
        if key not in rules:
            hint = did_you_mean(rules, str(key))
            yield (*path, key), f'there is no key "{key}" here. {hint}Known: {", ".join(rules)}.'
    operations = alleles.get(("network", *path, "operation"), [value.get("operation")])
    asked = {key for operation in operations for key in BLOCK_KEYS.get(str(operation), ())}
    optional = {key for keys in BLOCK_KEYS.values() for key in keys} - asked
    for key, rule in rules.items():
        if key in value:
            yield from _problems(value[key], rule, (*path, key), alleles)
        elif key not in optional:
            yield path, f"the key {key} is missing."


def _alleles(description: Mapping[str, Any]) -> list[Any]:
    if "alleles" in description:
        return list(description["alleles"])
    return [description["low"], description["high"]]


def _one_of(table: Mapping[str, Any], kind: str) -> Rule:
    return lambda value: None if value in table else unknown_name(table, str(value), kind)


def _whole(low: int, what: str, odd: bool = False) -> Rule:
    def problem(value: Any) -> str | None:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if is_whole and value >= low and (value % 2 or not odd):
            return None
        wanted = "an odd" if odd else "a"
        return f"{value} is not {what}. Write {wanted} whole number of at least {low}."

    return problem


def _fraction(value: Any) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return None if is_number and 0 <= value <= 1 else f"{value} is not a ratio between 0 and 1."


SKIPS = {NO_SKIP: None, "identity": None}
CHANNELS = _whole(1, "a number of channels")
KERNEL = _whole(1, "a kernel that keeps the map's size", odd=True)
STRIDE = _whole(1, "a stride")

RULES: Mapping[str, Any] = {
    "stages": {
        "builder": _one_of(FOLDINGS, "builder"),
        "activation": _one_of(ACTIVATIONS, "activation"),
        "stem": {"channels": CHANNELS, "kernel": KERNEL, "stride": STRIDE},
        "stages": [
            {
                "operation": _one_of(BLOCKS, "operation"),
                "expansion": _whole(1, "an expansion"),
                "kernel": KERNEL,
                "se_ratio": _fraction,
                "skip": _one_of(SKIPS, "skip"),
                "channels": CHANNELS,
                "layers": _whole(1, "a number of layers"),
                "stride": STRIDE,
            }
        ],
        "head": {"channels": CHANNELS},
    }
}
