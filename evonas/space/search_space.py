"""An ordered set of genes and the blueprint they stand in."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from evonas.blueprint import Blueprint
from evonas.key import key_of
from evonas.networks import Scale, aligned, short, tidied
from evonas.settings import tidied_compression
from evonas.space.backbones import GENE_AT, written_out
from evonas.space.gene import Allele, Gene, KeyPath, dotted, is_one_of

Chromosome = tuple[float, ...]
PEEKED = 1024  # blueprints remembered


@dataclass(frozen=True)
class SearchSpace:
    """A blueprint in which genes stand where a choice is open.

    `template` has the sections `network`, `training`, `compression` and `values`; without a
    network there are no scales. `genes` are ordered so that a gene comes after those that its
    condition names. `place` tells where in its file a key path stands, for messages.
    """

    name: str
    title: str
    source: str
    template: Mapping[str, Any]
    genes: tuple[Gene, ...]
    scales: Mapping[str, Scale]
    place: Callable[[KeyPath], str]

    @cached_property
    def fingerprint(self) -> str:
        """Changes with anything that changes what a chromosome means."""
        genes = [[gene.name, gene.describe(), gene.when] for gene in self.genes]
        scales = [scale.to_dict() for scale in self.scales.values()]
        filled = {name: own for name, own in self.template.items() if own or name != "values"}
        published = [self.networks] if len(self.networks) > 1 else []
        return key_of([filled, genes, scales, *published])

    @cached_property
    def networks(self) -> Mapping[str, Mapping[str, Any]]:
        """The template's network with each backbone that a gene chooses, by the gene's alleles.

        Without such a gene it is the only one, and has no name.
        """
        network = self.template["network"]
        gene = next((gene for gene in self.genes if gene.key_path == GENE_AT), None)
        if gene is None:
            return {"": network}
        return {str(name): written_out(network, str(name)) for name in gene.extremes}

    @property
    def has_network(self) -> bool:
        """False for a space of free values alone."""
        return bool(self.template["network"])

    def decode(self, chromosome: Sequence[float]) -> Blueprint:
        """The canonical blueprint of any chromosome of the right length.

        Numbers out of range count as the nearest allele, inactive genes vanish.
        """
        return copy.deepcopy(self.peek(chromosome))

    def peek(self, chromosome: Sequence[float]) -> Blueprint:
        """As `decode`, ten times faster: parts are shared with others and must not be changed."""
        return self._peeked(tuple(chromosome))

    @cached_property
    def _peeked(self) -> Callable[[Chromosome], Blueprint]:
        """A child is asked for its canonical form, its words and its fingerprint in turn."""
        return lru_cache(PEEKED)(self._decoded)

    def _decoded(self, chromosome: Chromosome) -> Blueprint:
        assert len(chromosome) == len(self.genes), "a chromosome has one number per gene"
        values = _filled(self.template, self._places, self._active_alleles(chromosome))
        network, repairs = tidied(written_out(values["network"]))
        compression = tidied_compression(values["compression"])
        return Blueprint(
            network, values["training"], compression, repairs, values.get("values", {})
        )

    @cached_property
    def _places(self) -> dict[Any, Any]:
        """Where the genes are in the template: nested keys down to the names of genes."""
        places: dict[Any, Any] = {}
        for gene in self.genes:
            holder = places
            for key in gene.key_path[:-1]:
                holder = holder.setdefault(key, {})
            holder[gene.key_path[-1]] = gene.name
        return places

    def encode(self, blueprint: Blueprint) -> Chromosome:
        """The chromosome of a blueprint; `encode(decode(c))` is the canonical form of `c`.

        Raises:
            ValueError: The space cannot express the blueprint; the message names what is in the
                way, a gene without the allele or a value that the space fixes otherwise.
        """
        problems = []
        for name, template in self.networks.items():
            try:
                return self._encoded_as(blueprint, name, template)
            except ValueError as problem:
                problems.append(str(problem))
        elsewhere = [problem for problem in problems if not problem.startswith(BACKBONE)]
        if not elsewhere and len(problems) > 1:
            names = ", ".join(self.networks)
            elsewhere = [f"{BACKBONE}: the blueprint has that of none of {names}"]
        raise ValueError([*elsewhere, *problems][0])

    def _encoded_as(
        self, blueprint: Blueprint, name: str, template: Mapping[str, Any]
    ) -> Chromosome:
        network, _ = tidied(aligned(blueprint.network, template))
        chromosome = self._encode(_named({**blueprint.to_dict(), "network": network}, name))
        found = self.peek(chromosome)
        pairs = {
            "network": (short(found.network), short(network)),
            "training": (found.training, blueprint.training),
            "compression": (found.compression, blueprint.compression),
            "values": (found.values, blueprint.values),
        }
        for section, (own, wanted) in pairs.items():
            for key_path, has, asks in _differences(own, wanted, (section,)):
                place = ".".join(str(key) for key in key_path)
                raise ValueError(f"{place}: the space has {has}, the blueprint {asks}")
        return chromosome

    def _encode(self, values: Mapping[str, Any]) -> Chromosome:
        return tuple(_encoded(gene, values) for gene in self.genes)

    def canonical(self, chromosome: Sequence[float]) -> Chromosome:
        """The one chromosome that all chromosomes of the same design share."""
        return self._encode(self._words_of(chromosome))

    def _words_of(self, chromosome: Sequence[float]) -> dict[str, Any]:
        """The design as the file would write it, a published backbone by its name."""
        values = self.peek(chromosome).to_dict()
        if len(self.networks) == 1:
            return values
        return _named(values, str(self._active_alleles(chromosome)[dotted(GENE_AT)]))

    def sample(self, rng: np.random.Generator) -> Chromosome:
        """A chromosome with every gene drawn on its own."""
        return tuple(gene.sample(rng) for gene in self.genes)

    @cached_property
    def size(self) -> float:
        """How many combinations of active genes there are (before folding equal networks)."""
        return _count(self.genes)

    def alleles(self, chromosome: Sequence[float]) -> dict[str, Allele]:
        """The active genes' alleles by name, as they stand in the blueprint."""
        values = self._words_of(chromosome)
        found = {gene.name: value_at(values, gene.key_path) for gene in self.genes}
        return {name: allele for name, allele in found.items() if allele is not MISSING}

    def activity(self, chromosome: Sequence[float]) -> tuple[bool, ...]:
        """Which genes the design has, in their order."""
        alleles = self._active_alleles(chromosome)
        return tuple(gene.name in alleles for gene in self.genes)

    def _active_alleles(self, chromosome: Sequence[float]) -> dict[str, Allele]:
        alleles: dict[str, Allele] = {}
        for gene, number in zip(self.genes, chromosome, strict=True):
            if not gene.when or _is_active(gene, alleles):
                alleles[gene.name] = gene.allele(number)
        return alleles


MISSING: Any = object()
BACKBONE = dotted(GENE_AT[:-1])


def _named(values: dict[str, Any], name: str) -> dict[str, Any]:
    """The values of a design with the name of its published backbone, if it has one."""
    section, key, word = GENE_AT
    network = values[section]
    if not name or key not in network:
        return values
    return {**values, section: {**network, key: {**network[key], word: name}}}


def _is_active(gene: Gene, alleles: Mapping[str, Allele]) -> bool:
    """True if every condition holds."""
    return all(is_one_of(alleles.get(other, MISSING), wanted) for other, wanted in gene.when)


def _filled(template: Any, places: Mapping[Any, Any], alleles: Mapping[str, Allele]) -> Any:
    """The template with alleles in the places of genes; what has no gene in it is shared."""
    values = dict(template) if isinstance(template, Mapping) else list(template)
    for key, inner in places.items():
        if not isinstance(inner, str):
            values[key] = _filled(template[key], inner, alleles)
        elif inner in alleles:
            values[key] = alleles[inner]
        else:
            del values[key]
    return values


def value_at(values: Any, key_path: KeyPath) -> Any:
    """What stands at a place of nested plain values; `MISSING` if nothing does."""
    try:
        for key in key_path:
            values = values[key]
    except (KeyError, IndexError, TypeError):
        return MISSING
    return values


def _differences(first: Any, second: Any, key_path: KeyPath) -> Iterator[tuple[KeyPath, Any, Any]]:
    """Places where nested plain values differ, with both values; a missing one is "nothing"."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        for key in dict.fromkeys([*first, *second]):
            own, other = first.get(key, "nothing"), second.get(key, "nothing")
            yield from _differences(own, other, (*key_path, key))
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for index, (own, other) in enumerate(zip(first, second, strict=True)):
            yield from _differences(own, other, (*key_path, index))
    elif first != second:
        yield key_path, first, second


def _encoded(gene: Gene, values: Mapping[str, Any]) -> float:
    allele = value_at(values, gene.key_path)
    if allele is MISSING:
        return gene.default_number
    try:
        return gene.number(allele)
    except ValueError as problem:
        raise ValueError(f"{gene.name}: {problem}") from None


def _count(genes: Sequence[Gene]) -> float:
    """Combinations of active genes: a sum over the alleles that conditions ask for."""
    if not genes:
        return 1
    if any(math.isinf(gene.size) for gene in genes):
        return math.inf
    asked = {other for gene in genes for other, _ in gene.when}
    total = math.prod(gene.size for gene in genes if not gene.when and gene.name not in asked)
    for linked in _linked([gene for gene in genes if gene.when or gene.name in asked]):
        total *= _count_linked(linked)
    return total


def _linked(genes: Sequence[Gene]) -> list[list[Gene]]:
    """The genes that conditions tie to each other, directly or through others, in order."""
    group: dict[str, list[Gene]] = {}
    for gene in genes:
        tied = {id(group[other]): group[other] for other, _ in gene.when}
        joined = max(tied.values(), key=len, default=[])
        for other in tied.values():
            if other is not joined:
                joined += other
                group |= {each.name: joined for each in other}
        joined.append(gene)
        group[gene.name] = joined
    place = {gene.name: index for index, gene in enumerate(genes)}
    groups = {id(each): each for each in group.values()}.values()
    return [sorted(each, key=lambda gene: place[gene.name]) for each in groups]


def _count_linked(genes: Sequence[Gene]) -> float:
    """Combinations of genes that conditions tie, the first of which has no condition.

    What the others ask of it is all that is told apart of its alleles, however many there are.
    """
    first, *others = genes
    asked = [wanted for gene in others for other, wanted in gene.when if other == first.name]
    named = dict.fromkeys((type(allele), allele) for wanted in asked for allele in wanted)
    ways: dict[tuple[bool, ...], float] = {(False,) * len(asked): first.size - len(named)}
    for _, allele in named:
        answers = tuple(is_one_of(allele, wanted) for wanted in asked)
        ways[answers] = ways.get(answers, 0) + 1
    return sum(
        count * _count(list(_left(others, first.name, iter(answers))))
        for answers, count in ways.items()
        if count
    )


def _left(genes: Iterable[Gene], decided: str, answers: Iterator[bool]) -> Iterator[Gene]:
    """The genes that may still be active, without the conditions that hold."""
    gone: set[str] = set()
    for gene in genes:
        held = [next(answers) for other, _ in gene.when if other == decided]
        if not all(held) or any(other in gone for other, _ in gene.when):
            gone.add(gene.name)
        elif held:
            yield replace(gene, when=tuple(asked for asked in gene.when if asked[0] != decided))
        else:
            yield gene
