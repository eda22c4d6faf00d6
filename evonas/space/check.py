"""Whether every network that a space can express can be built: asked before anything is run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from evonas.errors import BuildError, SpaceError
from evonas.networks import GRAMMARS, Scale, planned, scaled
from evonas.networks.rules import AnyNames, Rules, Ways
from evonas.networks.stages.blocks import BLOCKS
from evonas.networks.value_rules import MayBeMissing, Problem
from evonas.registry import did_you_mean, unknown_name
from evonas.space.backbones import GENE_AT
from evonas.space.document import told_once
from evonas.space.gene import Gene, KeyPath
from evonas.space.search_space import SearchSpace

LARGEST_MATTERS = (
    "stride",
    "levels",
    "depth",
    "valid",
)  # keys of whose alleles the largest may be too large
NEEDS_CELLS = ("cells", "nas_bench_201")  # builders whose scales say how many cells there are


def check_space(space: SearchSpace, scales: Iterable[Scale] | None = None) -> None:
    """Holds every fixed value and every allele of the network section against the builder.

    Args:
        space: One of free values alone has nothing that could be wrong here.
        scales: At which the networks are to be built; those of the space unless others are given.

    Raises:
        SpaceError: With all problems, each with its place in the file.
    """
    if not space.has_network:
        return
    check = _Check(
        {gene.key_path[1:]: gene for gene in space.genes if gene.key_path[0] == "network"}
    )
    problems = [
        f"{space.place(('network', *path))}: {problem}"
        for network in space.networks.values()
        for path, problem in check.network(network)
    ]
    if not problems:
        problems = [
            problem
            for scale in (space.scales.values() if scales is None else scales)
            for problem in _scale_problems(space, scale)
        ]
    if problems:
        raise SpaceError(told_once(problems))


def _scale_problems(space: SearchSpace, scale: Scale) -> Iterator[str]:
    """Cells need to know how many there are; the largest strides must leave something."""
    place = space.place(("scales", scale.name))
    if scale.beyond():
        yield (
            f"{place}: with phi and what full.width and its like say, this scale has a "
            f"{' and a '.join(scale.beyond())}. Write less."
        )
        return
    missing = [key for key in ("filters", "repeats") if not getattr(scale, key)]
    if space.template["network"]["builder"] in NEEDS_CELLS and missing:
        yield (
            f"{place}: a network of cells needs {' and '.join(missing)}. "
            "Write as in filters: 16, repeats: 2."
        )
        return
    for backbone in space.networks:
        numbers = [_largest(gene, backbone) for gene in space.genes]
        try:
            planned(scaled(space.decode(numbers).network, scale))
        except BuildError as error:
            is_own = scale.resolution_px == space.scales[scale.name].resolution_px
            own_place = space.place(("scales", scale.name, "resolution_px"))
            where = own_place if is_own else f"full.resolution_px={scale.resolution_px}"
            of = f" With the backbone of {backbone}." if backbone else ""
            yield f"{where}: {error}{of}"


def _largest(gene: Gene, backbone: str) -> float:
    """The number of the allele with which too little may be left of an image."""
    if gene.key_path == GENE_AT:
        return gene.number(backbone)
    if gene.key_path[-1] in LARGEST_MATTERS:
        return gene.number(max(gene.extremes, key=float))  # type: ignore[arg-type]
    return gene.default_number


class _Check:
    """Walks a network section along the rules of its builder; paths are relative to it."""

    def __init__(self, genes: Mapping[KeyPath, Gene]) -> None:
        self.genes = genes
        self.rules = Rules({})

    def network(self, network: Mapping[str, Any]) -> Iterator[Problem]:
        builder = network.get("builder")
        if not isinstance(builder, str) or builder not in GRAMMARS:
            yield ("builder",), unknown_name(GRAMMARS, str(builder), "builder")
            return
        self.rules = GRAMMARS[builder].rules
        yield from self._value(network, self.rules.keys, ())
        yield from self.rules.across(network, self._alleles)

    def _value(self, value: Any, rule: Any, path: KeyPath) -> Iterator[Problem]:
        if isinstance(rule, Ways):
            rule = rule.rules(value if isinstance(value, dict) else {})
        if callable(rule):
            found = (rule(allele) for allele in self._alleles(path, value))
            yield from ((path, problem) for problem in found if problem)
        elif isinstance(rule, list):
            if not isinstance(value, list) or not value:
                yield path, "write a list with at least one entry."
                return
            for index, item in enumerate(value):
                yield from self._value(item, rule[0], (*path, index))
        elif isinstance(rule, AnyNames) and isinstance(value, dict):
            for key, item in value.items():
                yield from self._value(item, rule.rule, (*path, key))
        elif isinstance(rule, AnyNames):
            yield path, "write a mapping."
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
        owners = self.rules.owners if "operation" in rules else {}
        for key, rule in rules.items():
            is_optional = isinstance(rule, MayBeMissing)
            if key in value:
                inner = rule.rule if isinstance(rule, MayBeMissing) else rule
                yield from self._value(value[key], inner, (*path, key))
            if key in value or not is_optional:
                taken_by = owners.get(key, ())
                yield from self._presence(
                    key, key in value, is_optional, operations, path, taken_by
                )

    def _presence(
        self,
        key: str,
        is_there: bool,
        is_optional: bool,
        operations: Sequence[Any],
        path: KeyPath,
        owners: Sequence[str],
    ) -> Iterator[Problem]:
        """A key is there for all operations that take it; as a gene, for no others."""
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
            if (
                not is_taken
                and operation in tuple(BLOCKS)
                and self._may_be_active(gene, operation, path)
            ):
                takers = [each for each in operations if each in owners] or owners
                wanted = f"when: {{operation: [{', '.join(takers)}]}}"
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
