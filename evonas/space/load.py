"""From what space files say to a search space: genes, their conditions and the scales."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

from evonas.errors import SpaceError
from evonas.networks import Scale
from evonas.networks import value_rules as rule
from evonas.networks.scale import LARGEST, STACKS, STEMS
from evonas.registry import did_you_mean
from evonas.space.conditions import contradictions
from evonas.space.document import (
    SECTIONS,
    SUBJECTS,
    SpaceDocument,
    items_in,
    read_part,
    read_space,
    read_space_file,
    told_once,
)
from evonas.space.gene import GENE_KINDS, Allele, Gene, KeyPath, When, dotted, is_gene
from evonas.space.lookalike import meant_gene
from evonas.space.search_space import SearchSpace

LONGEST_CHAIN = 100  # genes of which each is active by the allele of the one before


def load_space(words: str) -> SearchSpace:
    """The space called so, in the file at that path, or joined of several as in `a+./b.yaml`.

    Raises:
        SpaceError: No such space, or files with mistakes; the message lists all of them.
    """
    return space_of(read_space(words))


def load_part(name: str) -> SearchSpace:
    """What is joined to spaces by that name, as a space without a network.

    Raises:
        SpaceError: With all mistakes in the file.
    """
    return space_of(read_part(name))


def load_space_file(path: Path, name: str | None = None) -> SearchSpace:
    """The space in a file, called like the file unless it is given a name.

    Raises:
        SpaceError: With all mistakes in the file.
    """
    return space_of(read_space_file(path, name))


def space_of(document: SpaceDocument) -> SearchSpace:
    """The space that a document describes.

    Raises:
        SpaceError: With all mistakes in it.
    """
    return _SpaceReader(document).space()


class _SpaceReader:
    """A document on its way to a SearchSpace; collects all problems before it complains."""

    def __init__(self, document: SpaceDocument) -> None:
        self.document = document
        self.values = document.values
        self.problems = list(document.problems)
        self.broken: set[str] = set()  # genes with a mistake: it is reported once

    def space(self) -> SearchSpace:
        template = {section: self.values.get(section, {}) for section in SECTIONS}
        for section in SUBJECTS:
            if section in self.values and not self.values[section]:
                self._complain((section,), "this section is empty. Fill it, or leave it out")
        self._check_words(template["values"], ("values",))
        for section in ("network", "training", "compression", "values"):
            self._check_lookalikes(template[section], (section,))
        genes = [self._gene(path, value) for path, value in _genes_in(template, ())]
        ordered = self._resolve_conditions([gene for gene in genes if gene is not None])
        self._check_contradictions(ordered)
        scales = self._scales()
        if self.problems:
            raise SpaceError(told_once(self.problems))
        return SearchSpace(
            name=self.document.name,
            title=self.values["title"],
            source=self.values.get("source", ""),
            template=template,
            genes=tuple(ordered),
            scales=scales,
            place=self.document.place,
        )

    def _complain(self, key_path: KeyPath, problem: str) -> None:
        problem = problem.strip()
        end = "" if problem[-1] in ".?" else "."
        self.problems.append(f"{self.document.place(key_path)}: {problem}{end}")

    def _check_words(self, value: Any, key_path: KeyPath) -> None:
        """Free keys are words: YAML reads `on`, `no` and `1` as something else."""
        for key, inner in items_in(value):
            if isinstance(value, dict) and not isinstance(key, str):
                problem = f"this key is no word, it is read as {key!r}. Put it in quotes"
                self._complain((*key_path, key), problem)
            self._check_words(inner, (*key_path, key))

    def _check_lookalikes(self, value: Any, key_path: KeyPath) -> None:
        """A gene in the words of another tool would be a constant without a word."""
        if is_gene(value):
            return
        meant = meant_gene(value) if len(key_path) > 1 else None
        if meant:
            words = ", ".join(map(str, value))
            self._complain(
                key_path,
                f"this looks like a gene and is none: its keys are {words}. Write {meant}, with "
                f"one of {', '.join(GENE_KINDS)}. If it is a constant, call its keys otherwise",
            )
        for key, inner in items_in(value):
            self._check_lookalikes(inner, (*key_path, key))

    def _gene(self, key_path: KeyPath, value: Mapping[str, Any]) -> Gene | None:
        gene = self._read_gene(key_path, value)
        if gene is None:
            self.broken.add(dotted(key_path))
        return gene

    def _read_gene(self, key_path: KeyPath, value: Mapping[str, Any]) -> Gene | None:
        kinds = [kind for kind in GENE_KINDS if kind in value]
        extra = [key for key in value if key not in GENE_KINDS and key != "when"]
        if len(key_path) == 1:
            self._complain(
                key_path,
                f"a section holds keys, and here {kinds[0]} makes a gene of it. Leave that out, or "
                "put it behind the key that it is for",
            )
            return None
        if len(kinds) > 1 or extra:
            self._complain(
                key_path, f"a gene has one kind and maybe when, got {', '.join(map(str, value))}"
            )
            return None
        if "when" in value and isinstance(key_path[-1], int):
            self._complain(key_path, "an item of a list cannot vanish, so it takes no when")
            return None
        cls, make = GENE_KINDS[kinds[0]]
        try:
            fields = make(value[kinds[0]])
        except ValueError as problem:
            self._complain((*key_path, kinds[0]), str(problem))
            return None
        raw_when = value.get("when") or {}
        if not isinstance(raw_when, dict):
            self._complain((*key_path, "when"), "write when: {other_gene: allele}")
            raw_when = {}
        when: When = tuple(
            (str(other), tuple(wanted) if isinstance(wanted, list) else (wanted,))
            for other, wanted in raw_when.items()
        )
        return cls(name=dotted(key_path), key_path=key_path, when=when, **fields)

    def _resolve_conditions(self, genes: list[Gene]) -> list[Gene]:
        by_name = {gene.name: gene for gene in genes}
        resolved = {gene.name: self._resolved(gene, by_name) for gene in genes}
        places = {name: place for place, name in enumerate(resolved)}
        asking: dict[str, list[Gene]] = {}
        missing = {gene.name: len({other for other, _ in gene.when}) for gene in resolved.values()}
        for gene in resolved.values():
            for other in dict.fromkeys(other for other, _ in gene.when):
                asking.setdefault(other, []).append(gene)
        ready = [places[name] for name, count in missing.items() if not count]
        in_order = list(resolved.values())
        ordered: list[Gene] = []
        while ready:  # of the genes that wait for none, the first in the file
            gene = in_order[heappop(ready)]
            ordered.append(gene)
            for waiting in asking.get(gene.name, ()):
                missing[waiting.name] -= 1
                if not missing[waiting.name]:
                    heappush(ready, places[waiting.name])
        stuck = [gene for gene in in_order if missing[gene.name]]
        if stuck:
            names = ", ".join(gene.name for gene in stuck)
            self._complain(stuck[0].key_path, f"the conditions of {names} wait for each other")
        return ordered if self._are_shallow(ordered) else []

    def _are_shallow(self, genes: Iterable[Gene]) -> bool:
        """False, and told, if conditions wait for conditions for too long."""
        depths: dict[str, int] = {}
        for gene in genes:
            depths[gene.name] = 1 + max((depths[other] for other, _ in gene.when), default=0)
            if depths[gene.name] > LONGEST_CHAIN:
                problem = f"more than {LONGEST_CHAIN} genes wait for each other by when, in a chain"
                self._complain(gene.key_path, problem)
                return False
        return True

    def _resolved(self, gene: Gene, by_name: Mapping[str, Gene]) -> Gene:
        """Gives each condition the full name of its gene: nearest enclosing mapping first."""
        when = []
        for other, wanted in gene.when:
            scopes = [gene.key_path[:depth] for depth in range(len(gene.key_path) - 1, -1, -1)]
            names = [dotted((*scope, other)) for scope in scopes]
            full = next((name for name in names if name in by_name and name != gene.name), None)
            if full is None and self.broken & set(names):
                continue
            if full is None or not wanted:
                hint = _nearest_gene(other, [name for name in by_name if name != gene.name])
                missing = f'there is no gene "{other}" here. {hint}'
                problem = missing if full is None else f"no allele of {other} is named"
                self._complain((*gene.key_path, "when"), problem)
                continue
            alleles = self._alleles(gene, by_name[full], wanted)
            if len(alleles) == len(wanted):
                when.append((full, alleles))
        return replace(gene, when=tuple(when))

    def _alleles(self, gene: Gene, other: Gene, wanted: Iterable[Allele]) -> tuple[Allele, ...]:
        """What a condition asks for in the other gene's type: 1.0, not 1, of a real number."""
        alleles = []
        for allele in wanted:
            try:
                alleles.append(other.allele(other.number(allele)))
            except ValueError as problem:
                self._complain((*gene.key_path, "when"), f"{other.name}: {problem}")
        return tuple(alleles)

    def _check_contradictions(self, genes: Iterable[Gene]) -> None:
        for gene, demands in contradictions(genes):
            asked = [
                f"{self.document.place((*asker.key_path, 'when'))} asks for {other} "
                f"{' or '.join(map(str, wanted))}"
                for asker, other, wanted in demands
            ]
            self._complain(
                gene.key_path,
                f"this gene can never be active: {' and '.join(asked)}. "
                "Change one of these conditions, or leave the gene out",
            )

    def _scales(self) -> dict[str, Scale]:
        values = self.values.get("scales")
        if values is None and "network" not in self.values:
            return {}
        if not isinstance(values, dict) or set(values) != {"proxy", "full"}:
            self._complain(("scales",), "a space has the scales proxy and full")
            return {}
        return {name: self._scale(name, values[name]) for name in ("proxy", "full")}

    def _scale(self, name: str, values: Any) -> Scale:
        fields: dict[str, Any] = {"resolution_px": 0}
        if not isinstance(values, dict):
            self._complain(("scales", name), f"{values} is no mapping. Write {{resolution_px: 32}}")
            return Scale(name=name, **fields)
        for key, value in values.items():
            if key not in SCALE_KEYS:
                hint = did_you_mean(SCALE_KEYS, str(key))
                self._complain(("scales", name, key), f"there is no such key. {hint}")
            elif problem := SCALE_KEYS[key](value):
                self._complain(("scales", name, key), problem)
            else:
                fields[key] = _as_field(key, value)
        if "resolution_px" not in values:
            self._complain(("scales", name), "resolution_px is missing")
        phi = fields.pop("phi", 0)
        return Scale(name=name, **fields).compound(phi) if phi else Scale(name=name, **fields)


def _genes_in(values: Any, key_path: KeyPath) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    if is_gene(values):
        yield key_path, values
        return
    for key, value in items_in(values):
        yield from _genes_in(value, (*key_path, key))


def _count(key: str, what: str) -> rule.Rule:
    return rule.whole(1, what, most=LARGEST[key])


def _factor(key: str) -> rule.Rule:
    most = LARGEST[key]
    wanted = f"a {key}. Write a number above 0, of at most {most}"
    return rule.number(lambda value: 0 < value <= most, wanted)


def _repeats(value: Any) -> str | None:
    """What is wrong with `4`, the cells of each stack, or `[4, 3, 3]`."""
    counts = value if isinstance(value, list) else [value] * STACKS
    if len(counts) != STACKS:
        return f"{value} are not the cells of {STACKS} stacks. Write 4 or [4, 3, 3]"
    return next(filter(None, map(_count("repeats", "a number of cells"), counts)), None)


SCALE_KEYS: Mapping[str, rule.Rule] = {
    "resolution_px": _count("resolution_px", "a number of pixels"),
    "width": _factor("width"),
    "depth": _factor("depth"),
    "phi": _factor("phi"),
    "smallest_map_px": _count("smallest_map_px", "a number of pixels"),
    "filters": _count("filters", "a number of channels"),
    "repeats": _repeats,
    "stem": rule.one_of_words("stem", *STEMS),
    "stem_channels": _count("stem_channels", "a number of channels"),
    "far_input": rule.true_or_false,
}


def _as_field(key: str, value: Any) -> Any:
    """The value as the scale has it."""
    if key == "repeats":
        return tuple(value) if isinstance(value, list) else (value,) * STACKS
    return float(value) if key in ("width", "depth", "phi") else value


def _nearest_gene(name: str, known: Iterable[str]) -> str:
    """A hint at the gene that a condition may mean: one that is called so elsewhere, or nearly."""
    short = {full.rpartition(".")[2]: full for full in known}
    if name in short:
        return f'Did you mean "{short[name]}"? '
    return did_you_mean({*known, *short}, name)
