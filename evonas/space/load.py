"""Reading space files: `network:`, `training:` and `compression:` with genes in them."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from evonas.errors import SpaceError
from evonas.registry import did_you_mean, unknown_name
from evonas.space.gene import GENE_KINDS, Gene, KeyPath, When
from evonas.space.scale import Scale
from evonas.space.search_space import SearchSpace
from evonas.yaml_file import read_yaml

SECTIONS = ("network", "training", "compression")
KNOWN_KEYS = ("title", "source", "scales", *SECTIONS)
SCALE_KEYS: Mapping[str, type[int] | type[float]] = {
    "resolution_px": int,
    "width": float,
    "depth": float,
    "smallest_map_px": int,
}


def known_spaces() -> dict[str, Path]:
    """Names and files of the spaces that `space=NAME` finds; the user's own come first."""
    package = Path(__file__).resolve().parent.parent
    # A wheel carries the files inside the package, a source tree beside it.
    folders = [package / "_search_spaces", package.parent / "search_spaces", Path("search_spaces")]
    return {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}


def find_space(name: str) -> Path:
    """The file of the space of that name, or of that path if it has a slash or ends in `.yaml`.

    Raises:
        SpaceError: There is no such space.
    """
    if "/" in name or name.endswith(".yaml"):
        return Path(name).expanduser()
    known = known_spaces()
    if name not in known:
        raise SpaceError(unknown_name(known, name, "space"))
    return known[name]


def load_space(name: str) -> SearchSpace:
    """The space that a name or path means (see `find_space`).

    Raises:
        SpaceError: No such space, or a file with mistakes; the message lists all of them.
    """
    return load_space_file(find_space(name))


def load_space_file(path: Path, name: str | None = None) -> SearchSpace:
    """The space in a file, called like the file unless it is given a name.

    Raises:
        SpaceError: With all mistakes in the file.
    """
    return _SpaceFile(path, name or path.stem).space()


class _SpaceFile:
    """One file on its way to a SearchSpace; collects all problems before it complains."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self.values, self.lines = read_yaml(path, SpaceError)
        self.problems: list[str] = []
        self.broken: set[str] = set()  # genes with a mistake: it is reported once

    def space(self) -> SearchSpace:
        if not isinstance(self.values, dict) or "network" not in self.values:
            raise SpaceError(f"{self.path.name} is no search space: it has no section network.")
        self._check_top()
        template = {section: self.values.get(section) or {} for section in SECTIONS}
        genes = [self._gene(path, value) for path, value in _genes_in(template, ())]
        ordered = self._resolve_conditions([gene for gene in genes if gene is not None])
        scales = self._scales()
        if self.problems:
            raise SpaceError(self.problems)
        title = str(self.values.get("title", self.name))
        return SearchSpace(self.name, title, template, tuple(ordered), scales, self._place)

    def _place(self, key_path: KeyPath) -> str:
        while key_path and key_path not in self.lines:
            key_path = key_path[:-1]
        line = f" (line {self.lines[key_path]})" if key_path in self.lines else ""
        return f"{self.path.name}, {_dotted(key_path)}{line}"

    def _complain(self, key_path: KeyPath, problem: str) -> None:
        problem = problem.strip()
        end = "" if problem[-1] in ".?" else "."
        self.problems.append(f"{self._place(key_path)}: {problem}{end}")

    def _check_top(self) -> None:
        for key in self.values:
            if key not in KNOWN_KEYS:
                hint = did_you_mean(KNOWN_KEYS, str(key))
                self._complain(
                    (key,), f"there is no such section. {hint}Known: {', '.join(KNOWN_KEYS)}"
                )
        for section in SECTIONS:
            if not isinstance(self.values.get(section) or {}, dict):
                self._complain((section,), "a section holds keys with values")
                self.values[section] = {}

    def _gene(self, key_path: KeyPath, value: Mapping[str, Any]) -> Gene | None:
        before = len(self.problems)
        gene = self._read_gene(key_path, value)
        if len(self.problems) > before:
            self.broken.add(_dotted(key_path))
        return gene

    def _read_gene(self, key_path: KeyPath, value: Mapping[str, Any]) -> Gene | None:
        kinds = [kind for kind in GENE_KINDS if kind in value]
        extra = [key for key in value if key not in GENE_KINDS and key != "when"]
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
        return cls(name=_dotted(key_path), key_path=key_path, when=when, **fields)

    def _resolve_conditions(self, genes: list[Gene]) -> list[Gene]:
        by_name = {gene.name: gene for gene in genes}
        resolved = {gene.name: self._resolved(gene, by_name) for gene in genes}
        ordered: list[Gene] = []
        placed: set[str] = set()
        waiting = list(resolved.values())
        while waiting:
            ready = [g for g in waiting if all(other in placed for other, _ in g.when)]
            if not ready:
                names = ", ".join(gene.name for gene in waiting)
                self._complain(
                    waiting[0].key_path, f"the conditions of {names} wait for each other"
                )
                return ordered
            placed.add(ready[0].name)
            ordered.append(ready[0])
            waiting.remove(ready[0])
        return ordered

    def _resolved(self, gene: Gene, by_name: Mapping[str, Gene]) -> Gene:
        """Gives each condition the full name of its gene: nearest enclosing mapping first."""
        when = []
        for other, wanted in gene.when:
            scopes = [gene.key_path[:depth] for depth in range(len(gene.key_path) - 1, -1, -1)]
            names = [_dotted((*scope, other)) for scope in scopes]
            full = next((name for name in names if name in by_name and name != gene.name), None)
            if full is None and self.broken & set(names):
                continue
            if full is None or not wanted:
                short = {name.rpartition(".")[2] for name in by_name}
                hint = did_you_mean({*by_name, *short}, other)
                missing = f'there is no gene "{other}" here. {hint}'
                problem = missing if full is None else f"no allele of {other} is named"
                self._complain((*gene.key_path, "when"), problem)
                continue
            for allele in wanted:
                self._check_allele(gene, by_name[full], allele)
            when.append((full, wanted))
        return replace(gene, when=tuple(when))

    def _check_allele(self, gene: Gene, other: Gene, allele: Any) -> None:
        try:
            other.number(allele)
        except ValueError as problem:
            self._complain((*gene.key_path, "when"), f"{other.name}: {problem}")

    def _scales(self) -> dict[str, Scale]:
        values = self.values.get("scales")
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
            kind = SCALE_KEYS.get(key)
            if kind is None:
                hint = did_you_mean(SCALE_KEYS, str(key))
                self._complain(("scales", name, key), f"there is no such key. {hint}")
            elif not _is_positive(value, kind):
                self._complain(("scales", name, key), f"{value} is not a number above 0")
            else:
                fields[key] = value
        if "resolution_px" not in values:
            self._complain(("scales", name), "resolution_px is missing")
        return Scale(name=name, **fields)


def _genes_in(values: Any, key_path: KeyPath) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    if isinstance(values, dict) and any(kind in values for kind in GENE_KINDS):
        yield key_path, values
        return
    items: Any = ()
    if isinstance(values, dict):
        items = values.items()
    elif isinstance(values, list):
        items = enumerate(values)
    for key, value in items:
        yield from _genes_in(value, (*key_path, key))


def _is_positive(value: Any, kind: type[int] | type[float]) -> bool:
    is_number = isinstance(value, (int, kind)) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value > 0


def _dotted(key_path: KeyPath) -> str:
    return ".".join(str(key) for key in key_path) or "the file"
