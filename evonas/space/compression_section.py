"""Whether the compression section of a space says what compression can be told."""

from collections.abc import Iterator, Mapping
from typing import Any

from evonas.errors import SettingsError
from evonas.registry import unknown_name
from evonas.settings import STEP_SETTINGS, StepSettings, validate
from evonas.space.gene import Gene, KeyPath, dotted, is_gene
from evonas.space.search_space import SearchSpace

SECTION = "compression"


def compression_problems(space: SearchSpace) -> Iterator[str]:
    """What is wrong with it: keys and alleles that no step takes, genes that do nothing."""
    genes = {gene.key_path: gene for gene in space.genes if gene.key_path[0] == SECTION}
    for name, values in space.template[SECTION].items():
        place = space.place((SECTION, name))
        if name not in STEP_SETTINGS:
            yield f"{place}: {unknown_name(STEP_SETTINGS, str(name), 'step of compression')}"
        elif not isinstance(values, Mapping) or is_gene(values):
            yield f"{place}: write a mapping, as in {name}: {{method: {_methods(name)[0]}}}."
        else:
            for key, value in values.items():
                yield from _key_problems(space, (SECTION, name, key), value, genes)


def _key_problems(
    space: SearchSpace, path: KeyPath, value: Any, genes: Mapping[KeyPath, Gene]
) -> Iterator[str]:
    _, name, key = path
    group = STEP_SETTINGS[str(name)]
    for allele in _alleles(path, value, genes):
        try:
            validate(group, {str(key): allele}, space.place(path))
        except SettingsError as error:
            yield from error.problems
    if path in genes and str(key) in group.model_fields:
        yield from _idle_problems(space, genes[path], group, genes)


def _alleles(path: KeyPath, value: Any, genes: Mapping[KeyPath, Gene]) -> list[Any]:
    """All values that a check has to look at; of a list that has genes, each of an item."""
    if path in genes:
        return list(genes[path].extremes)
    if not isinstance(value, list):
        return [value]
    items = [_alleles((*path, place), item, genes) for place, item in enumerate(value)]
    longest = max(map(len, items), default=0)
    rows = [[alleles[min(row, len(alleles) - 1)] for alleles in items] for row in range(longest)]
    return rows or [value]


def _idle_problems(
    space: SearchSpace, gene: Gene, group: type[StepSettings], genes: Mapping[KeyPath, Gene]
) -> Iterator[str]:
    """A gene has to vanish beside methods that do not take its key."""
    key = str(gene.key_path[-1])
    home = gene.key_path[:-1]
    beside = group.only_with.get(key, ("method", ""))[0]
    for other in dict.fromkeys(("method", beside)):
        asked = genes.get((*home, other))
        if key == other or asked is None:
            continue
        wanted = next((w for name, w in gene.when if name == dotted((*home, other))), None)
        alleles = asked.extremes if wanted is None else list(wanted)
        idle = [allele for allele in alleles if group.is_idle(key, {other: allele})]
        if idle:
            takers = [a for a in asked.extremes if not group.is_idle(key, {other: a})]
            hint = f"Add when: {{{other}: [{', '.join(map(str, takers))}]}}"
            yield (
                f"{space.place(gene.key_path)}: {key} does nothing with {other}={idle[0]}. "
                f"{hint if takers else 'Leave it out'}."
            )


def _methods(name: str) -> list[str]:
    return list(STEP_SETTINGS[name].takes)
