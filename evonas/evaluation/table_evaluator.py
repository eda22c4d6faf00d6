"""Evaluation by looking up: every design's measures stand in a table, so a search costs nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evonas.blueprint import Blueprint
from evonas.errors import DataError, SettingsError
from evonas.evaluation.evaluator import Evaluator
from evonas.evaluation.measures import MEASURES, how_computed, needs_of
from evonas.evaluation.objectives import Objective, asked_measures
from evonas.evaluation.table import Table, no_number, shortened
from evonas.key import key_of
from evonas.registry import unknown_name
from evonas.settings import Settings
from evonas.space.gene import Allele, Choice, Gene, Int
from evonas.space.search_space import MISSING, SearchSpace, value_at
from evonas.trial import Assignment, Outcome, Trial

Design = tuple[float | None, ...]  # the number of each gene's allele, None where it is inactive


@dataclass(frozen=True)
class Lookup:
    """A table as a search reads it.

    `rows` has the row of each design, `columns` the numbers that may be asked for, `sources` the
    columns that a measure is drawn from, and `duration` the column of simulated seconds.
    """

    genes: tuple[Gene, ...]
    rows: Mapping[Design, int]
    lines: tuple[int, ...]
    columns: Mapping[str, tuple[float, ...]]
    sources: Mapping[str, tuple[str, ...]]
    duration: str | None

    def design(self, blueprint: Blueprint) -> Design:
        """The design as the table's rows are found by."""
        return tuple(_number_in(blueprint, gene) for gene in self.genes)

    def row(self, blueprint: Blueprint) -> int | None:
        """Where the design stands; None if it is not in the table."""
        return self.rows.get(self.design(blueprint))


@dataclass(frozen=True)
class TableEvaluator(Evaluator):
    """Gives what the table says about a design, with the noise that the trial's seed chooses."""

    lookup: Lookup

    def prepare(self) -> None:
        """See `Evaluator.prepare`; the table came along."""

    def training_key(self, blueprint: Blueprint) -> str:
        """The row: two designs of the same function have two, and other measurements."""
        row = self.lookup.row(blueprint)
        if row is None:
            return f"not in the table: {key_of(self.lookup.design(blueprint))}"
        return f"line {self.lookup.lines[row]}"

    def building_key(self, blueprint: Blueprint) -> str:
        """See `training_key`."""
        return self.training_key(blueprint)

    def count(self, blueprint: Blueprint) -> Mapping[str, float]:
        """What a search on networks would know before it trains: a constraint on it is free."""
        row = self.lookup.row(blueprint)
        if row is None:
            return {}
        sources = {name: self.lookup.sources[name] for name in self.measured if _is_cheap(name)}
        return {name: self.lookup.columns[c[0]][row] for name, c in sources.items() if len(c) == 1}

    def duration_s(self, trial: Trial) -> float | None:
        """See `Evaluator.duration_s`; finding that a design is not in the table takes no time."""
        row = self.lookup.row(trial.blueprint)
        if row is None:
            return 0.0
        column = self.lookup.duration
        return self.lookup.columns[column][row] if column else super().duration_s(trial)

    def __call__(self, assignment: Assignment) -> Outcome:
        trial = assignment.trial
        row = self.lookup.row(trial.blueprint)
        if row is None:
            return Outcome(trial.number, "infeasible", error_text=self._missing(trial.blueprint))
        chosen = self._chosen(trial.seed)
        measures = {name: self.lookup.columns[column][row] for name, column in chosen.items()}
        drawn = {name: column for name, column in chosen.items() if column != name}
        truth = {
            name: self.lookup.columns[name][row] for name in drawn if name in self.lookup.columns
        }
        exact = {name: value for name, value in measures.items() if name not in drawn} | truth
        truth |= self.derived(exact) if truth else {}
        details: dict[str, Any] = {"line": self.lookup.lines[row]}
        details |= {"drawn": drawn} if drawn else {}
        details |= {"truth": truth} if truth else {}
        return Outcome(
            trial.number,
            "complete",
            {**measures, **assignment.known},
            details=details,
            source=assignment.source,
        )

    def _chosen(self, seed: int) -> dict[str, str]:
        """The column of each measure: of lists as long as another the same place is drawn."""
        sources = self.lookup.sources
        share = np.random.default_rng(seed).random()
        return {name: columns[int(share * len(columns))] for name, columns in sources.items()}

    def _missing(self, blueprint: Blueprint) -> str:
        pairs = zip(self.lookup.genes, self.lookup.design(blueprint), strict=True)
        alleles = ", ".join(
            f"{gene.name}={gene.allele(number)}" for gene, number in pairs if number is not None
        )
        return f"{self.settings.evaluator.path} has no row for {alleles}"


def open_lookup(
    table: Table, space: SearchSpace, settings: Settings, objectives: Sequence[Objective]
) -> Lookup:
    """The table, held against the space that is searched and the measures that are asked for.

    Raises:
        SettingsError: With all problems of columns, alleles and numbers at once.
    """
    problems: list[str] = []
    homes = _gene_columns(table, space.genes, problems)
    measures = measure_columns(table, space.genes)
    sources = _sources(table, settings, objectives, measures, problems)
    duration = settings.evaluator.duration
    if duration is not None and duration not in measures:
        what = f"measure column in {table.file}"
        problems.append(f"evaluator.duration: {unknown_name(measures, duration, what)}")
    wanted = [column for columns in sources.values() for column in columns]
    truths = [name for name in sources if name in measures]
    used = dict.fromkeys([*wanted, *truths, *([duration] if duration in measures else [])])
    columns = {}
    for name in used:
        try:
            columns[name] = table.numbers(name)
        except DataError as error:
            problems += error.problems
    problems += _negative(table, duration, columns)
    rows = {} if problems else _rows(table, space, homes, problems)
    if problems:
        raise SettingsError(problems)
    return Lookup(space.genes, rows, table.lines, columns, sources, duration)


def measure_columns(table: Table, genes: Iterable[Gene]) -> list[str]:
    """The columns that belong to no gene."""
    taken = {column for gene in genes for column in _candidates(table, gene)}
    return [column for column in table.columns if column not in taken]


def _is_cheap(name: str) -> bool:
    return name in MEASURES and MEASURES[name].cost != "train"


def _candidates(table: Table, gene: Gene) -> list[str]:
    """The column of the gene's full name, else all that its name ends in."""
    if gene.name in table.columns:
        return [gene.name]
    return [column for column in table.columns if gene.name.endswith(f".{column}")]


def _gene_columns(table: Table, genes: Sequence[Gene], problems: list[str]) -> list[str]:
    """The column of each gene; "" where there is none, or more than one gene has it."""
    homes = []
    for gene in genes:
        found = _candidates(table, gene)
        homes.append(found[0] if len(found) == 1 else "")
        if not found:
            short = gene.name.rpartition(".")[2]
            hint = unknown_name(table.columns, short, "column")
            problems.append(f"{table.file} has no column for the gene {gene.name}. {hint}")
        elif len(found) > 1:
            problems.append(
                f"{table.file}: {gene.name} may be any of the columns {', '.join(found)}. Call "
                f"the right one {gene.name}."
            )
    for column in dict.fromkeys(homes):
        owners = [gene.name for gene, home in zip(genes, homes, strict=True) if home == column]
        if column and len(owners) > 1:
            problems.append(
                f"{table.file}: the column {column} may be any of {', '.join(owners)}. Write full "
                "names in the first line."
            )
    return homes


def _sources(
    table: Table,
    settings: Settings,
    objectives: Sequence[Objective],
    measures: Sequence[str],
    problems: list[str],
) -> dict[str, tuple[str, ...]]:
    """The columns that each measure comes from; unknown ones are told and left out."""
    observed = settings.evaluator.observed
    asked = asked_measures(settings, objectives)
    askers = {need: name for name in asked for need in needs_of(name)}
    what = f"measure column in {table.file}"
    for name in observed:
        if name not in askers:
            hint = unknown_name(askers, name, "measure that the search looks up")
            problems.append(f"evaluator.observed.{name}: {hint}")
    problems += [
        f"{table.file} has a column {name}, but {how_computed(name)}. Give the column another name."
        for name in asked
        if name not in askers and name in measures
    ]
    sources = {}
    for name, asker in askers.items():
        place = "objectives" if name in asked else asker
        place = f"evaluator.observed.{name}" if name in observed else place
        columns = observed.get(name, (name,))
        unknown = [column for column in columns if column not in measures]
        problems += [f"{place}: {unknown_name(measures, column, what)}" for column in unknown]
        if not unknown:
            sources[name] = columns
    return sources


def _negative(
    table: Table, duration: str | None, columns: Mapping[str, Sequence[float]]
) -> list[str]:
    if duration is None or duration not in columns:
        return []
    found = [
        f"{table.place(duration, row)}: {seconds:g} is no duration. Write seconds of at least 0."
        for row, seconds in enumerate(columns[duration])
        if seconds < 0
    ]
    return shortened(found, f"{table.file}, {duration}")


def _rows(
    table: Table, space: SearchSpace, homes: Sequence[str], problems: list[str]
) -> dict[Design, int]:
    """The row of each design; what a row says of a gene that is inactive there does not count."""
    read = [
        _column_of_numbers(table, gene, column, space.name, problems)
        for gene, column in zip(space.genes, homes, strict=True)
    ]
    if problems:
        return {}
    designs: list[Design] = list(zip(*read, strict=True))
    if any(gene.when for gene in space.genes):
        written, designs = designs, [_active(space, design) for design in designs]
        problems += _unfilled(table, homes, written, designs)
    rows: dict[Design, int] = {}
    twice = []
    for row, design in enumerate(designs):
        first = rows.setdefault(design, row)
        if first != row:
            twice.append(
                f"{table.file} (line {table.lines[row]}): the same design as in line "
                f"{table.lines[first]}. Keep one."
            )
    problems += shortened(twice, table.file)
    return rows


def _unfilled(
    table: Table, homes: Sequence[str], written: Sequence[Design], designs: Sequence[Design]
) -> list[str]:
    """What is wrong with rows that have no allele for a gene that is active in them."""
    found = [
        f"{table.place(column, row)}: an empty cell, and this gene is active here. Write its "
        "allele."
        for row, (cells, design) in enumerate(zip(written, designs, strict=True))
        for column, own, needed in zip(homes, cells, design, strict=True)
        if own is None and needed is not None
    ]
    return shortened(found, table.file)


def _active(space: SearchSpace, written: Design) -> Design:
    """The row as a design: without the genes that are inactive in it."""
    pairs = zip(space.genes, written, strict=True)
    numbers = [gene.default_number if number is None else number for gene, number in pairs]
    blueprint = space.decode(numbers)
    return tuple(_number_in(blueprint, gene) for gene in space.genes)


def _number_in(blueprint: Blueprint, gene: Gene) -> float | None:
    """The number of the gene's allele in a design; None where it is inactive."""
    section, *keys = gene.key_path
    allele = value_at(getattr(blueprint, str(section)), tuple(keys))
    return None if allele is MISSING else gene.number(allele)


def _column_of_numbers(
    table: Table, gene: Gene, column: str, space: str, problems: list[str]
) -> list[float | None]:
    """The column's alleles as the gene's numbers; wrong ones are told and left out."""
    cells = table.columns[column]
    numbers: dict[str, float | None] = {}
    wrong: dict[str, str] = {}
    for cell in dict.fromkeys(cells):
        try:
            numbers[cell] = None if gene.when and not cell else _read(gene, cell)
        except ValueError as problem:
            wrong[cell] = str(problem)
    found = [
        f"{table.place(column, row)}: {wrong[cell]}, so {space} has no such design. Take the row "
        "out, or widen the gene."
        for row, cell in enumerate(cells)
        if cell in wrong
    ]
    problems += shortened(found, f"{table.file}, {column}")
    return [] if wrong else [numbers[cell] for cell in cells]


def _read(gene: Gene, cell: str) -> float:
    """The number of the allele that a cell writes.

    Raises:
        ValueError: It writes none.
    """
    if not cell:
        raise ValueError("an empty cell is no allele")
    if isinstance(gene, Choice):
        for allele in gene.alleles:
            if _writes(cell, allele):
                return gene.number(allele)
        if any(_writes(cell.replace(",", "."), allele) for allele in gene.alleles):
            raise ValueError(no_number(cell))
        return gene.number(cell)
    try:
        number = float(cell)
    except ValueError:
        raise ValueError(no_number(cell)) from None
    if isinstance(gene, Int):
        if number != int(number):
            raise ValueError(f"{cell} is not a whole number")
        return gene.number(int(number))
    return gene.number(number)


def _writes(cell: str, allele: Allele) -> bool:
    """True if the cell means this allele: `0.50` is 0.5, `True` is true."""
    if isinstance(allele, bool) or allele is None:
        return cell.lower() in (("null", "none") if allele is None else (str(allele).lower(),))
    if isinstance(allele, str):
        return cell == allele
    try:
        return float(cell) == allele
    except ValueError:
        return False
