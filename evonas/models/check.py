"""Whether every network that a space can express can be built: asked before anything is run."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evonas.errors import SpaceError
from evonas.models.activations import ACTIVATIONS
from evonas.models.blocks import BLOCK_KEYS, BLOCKS
from evonas.registry import did_you_mean, unknown_name
from evonas.space.canonical import FOLDINGS, NO_SKIP
from evonas.space.gene import Gene, KeyPath
from evonas.space.search_space import SearchSpace

Problem = tuple[KeyPath, str]


@dataclass(frozen=True)
class MayBeMissing:
    """Around the rule of a key that has a default."""

    rule: Any


Rule = Callable[[Any], str | None]  # a value to what is wrong with it


def check_space(space: SearchSpace) -> None:
    """Holds every fixed value and every allele of the network section against the builder.

    Raises:
        SpaceError: With all problems, each with its place in the file.
    """
    check = _Check(
        {gene.key_path[1:]: gene for gene in space.genes if gene.key_path[0] == "network"}
    )
    problems = [
        f"{space.place(('network', *path))}: {problem}"
        for path, problem in check.network(space.template["network"])
    ]
    if problems:
        raise SpaceError(problems)


class _Check:
    """Walks a network section along the rules of its builder; paths are relative to it."""

    def __init__(self, genes: Mapping[KeyPath, Gene]) -> None:
        self.genes = genes

    def network(self, network: Mapping[str, Any]) -> Iterator[Problem]:
        builder = network.get("builder")
        if not isinstance(builder, str) or builder not in RULES:
            yield ("builder",), unknown_name(FOLDINGS, str(builder), "builder")
            return
        yield from self._value(network, RULES[builder], ())

    def _value(self, value: Any, rule: Any, path: KeyPath) -> Iterator[Problem]:
        if callable(rule):
            found = (rule(allele) for allele in self._alleles(path, value))
            yield from ((path, problem) for problem in found if problem)
        elif isinstance(rule, list):
            if not isinstance(value, list) or not value:
                yield path, "write a list with at least one entry."
                return
            for index, item in enumerate(value):
                yield from self._value(item, rule[0], (*path, index))
        elif not isinstance(value, dict) or path in self.genes:
            yield path, f"write a mapping with the keys {', '.join(rule)}."
        else:
            yield from self._mapping(value, rule, path)

    def _mapping(
        self, value: Mapping[str, Any], rules: Mapping[str, Any], path: KeyPath
    ) -> Iterator[Problem]:
        for key in value:
            if key not in rules:
                hint = did_you_mean(rules, str(key))
                known = ", ".join(rules)
                yield (*path, key), f'there is no key "{key}" here. {hint}Known: {known}.'
        operations = self._alleles((*path, "operation"), value.get("operation"))
        for key, rule in rules.items():
            is_optional = isinstance(rule, MayBeMissing)
            if key in value:
                inner = rule.rule if isinstance(rule, MayBeMissing) else rule
                yield from self._value(value[key], inner, (*path, key))
            if key in value or not is_optional:
                yield from self._presence(key, key in value, is_optional, operations, path)

    def _presence(
        self, key: str, is_there: bool, is_optional: bool, operations: Iterable[Any], path: KeyPath
    ) -> Iterator[Problem]:
        """A key is there for all operations that take it; as a gene, for no others."""
        owners = [name for name, keys in BLOCK_KEYS.items() if key in keys]
        for operation in operations:
            is_taken = not owners or operation in owners
            gene = self.genes.get((*path, key))
            if is_taken and not is_there:
                yield path, f"the key {key} is missing."
                return
            if gene is None:
                continue
            if is_taken and not is_optional and not self._is_sure(gene, operation, path):
                what = f"{operation} takes {key}" if owners else f"every operation takes {key}"
                yield (*path, key), f"{what}, and its when lets it vanish."
                return
            if not is_taken and self._may_be_active(gene, operation, path):
                wanted = f"when: {{operation: {' or '.join(owners)}}}"
                yield (*path, key), f"{operation} takes no {key}. Add {wanted}."
                return

    def _is_sure(self, gene: Gene, operation: Any, path: KeyPath) -> bool:
        own = _dotted((*path, "operation"))
        return all(other == own and operation in wanted for other, wanted in gene.when)

    def _may_be_active(self, gene: Gene, operation: Any, path: KeyPath) -> bool:
        own = _dotted((*path, "operation"))
        return all(operation in wanted for other, wanted in gene.when if other == own)

    def _alleles(self, path: KeyPath, value: Any) -> list[Any]:
        gene = self.genes.get(path)
        return [value] if gene is None else gene.extremes


def _dotted(path: KeyPath) -> str:
    return ".".join(["network", *map(str, path)])


def _one_of(table: Mapping[str, Any], kind: str) -> Rule:
    def problem(value: Any) -> str | None:
        is_known = isinstance(value, str) and value in table
        return None if is_known else unknown_name(table, str(value), kind)

    return problem


def _whole(low: int, what: str, odd: bool = False) -> Rule:
    def problem(value: Any) -> str | None:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if is_whole and value >= low and (value % 2 or not odd):
            return None
        wanted = "an odd" if odd else "a"
        return f"{value} is not {what}. Write {wanted} whole number of at least {low}."

    return problem


def _expansion(value: Any) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return None if is_number and value >= 1 else f"{value} is not an expansion of at least 1."


def _true_or_false(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"{value} is neither true nor false."


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
                "expansion": _expansion,
                "linear": MayBeMissing(_true_or_false),
                "activation": MayBeMissing(_one_of(ACTIVATIONS, "activation")),
                "kernel": KERNEL,
                "se_ratio": _fraction,
                "skip": _one_of(SKIPS, "skip"),
                "channels": CHANNELS,
                "layers": _whole(1, "a number of layers"),
                "stride": STRIDE,
            }
        ],
        "head": {
            "channels": _whole(0, "a number of channels"),
            "hidden": MayBeMissing(_whole(0, "a number of neurons")),
            "fixed": MayBeMissing(_true_or_false),
        },
        "attention": MayBeMissing(
            {
                "base": _one_of({"input": None, "expanded": None}, "base"),
                "activation": _one_of(ACTIVATIONS, "activation"),
                "gate": _one_of(ACTIVATIONS, "gate"),
                "round8": _true_or_false,
            }
        ),
    }
}
