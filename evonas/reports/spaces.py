"""Search spaces in figures, for a terminal."""

from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table

from evonas.evaluation.space_figures import COUNTED
from evonas.reports.format import number
from evonas.space import Scale


def print_spaces(spaces: list[dict[str, Any]], console: Console) -> None:
    """One line a space (see `evaluation.space_figures`)."""
    table = _table("space", "genes", "designs", "title")
    for space in spaces:
        _add(table, space["name"], space["genes"], _many(space["size"]), space["title"])
    console.print(table)


def print_space(summary: dict[str, Any], console: Console) -> None:
    """One space in full (see `evaluation.space_figures`)."""
    grid = Table.grid(padding=(0, 2))
    for key in ("name", "title", "source"):
        if summary[key]:
            _add(grid, key, summary[key])
    _add(grid, "designs", _many(summary["size"]))
    for name, scale in summary["scales"].items():
        _add(grid, name, _scale(scale))
    console.print(grid)
    console.print(_genes(summary["genes"]))
    if summary["sample"]:
        _print_sample(summary, console)
    for place, design in enumerate(summary.get("designs", ()), 1):
        _print_design(place, design, bool(summary["scales"]), console)


def _genes(genes: list[dict[str, Any]]) -> Table:
    """One line a gene; conditions only if there are any."""
    are_conditional = any(gene["when"] for gene in genes)
    table = _table("gene", "kind", "alleles", *(["when"] if are_conditional else []))
    for gene in genes:
        condition = [_when(gene)] if are_conditional else []
        _add(table, gene["name"], gene["kind"], _range(gene), *condition)
    return table


def _scale(values: dict[str, Any]) -> str:
    """A scale as in a space file: what is as by default is not said."""
    usual = Scale("", 0).to_dict()
    said = {key: value for key, value in values.items() if value != usual[key] and key != "name"}
    return ", ".join(f"{key} {_plain(value)}" for key, value in said.items())


def _print_sample(summary: dict[str, Any], console: Console) -> None:
    sample = summary["sample"]
    scale = summary["scales"][sample["scale"]]
    console.print(
        f"\nOf {sample['designs']} designs drawn at random, {sample['feasible_share']:.0%} are "
        f"feasible. At {sample['scale']} scale, with {scale['input_channels']} channels and "
        f"{scale['classes']} classes, they have:"
    )
    table = _table("", "min", "median", "max")
    for name in COUNTED:
        _add(table, name, *(number(sample[name][key]) for key in ("min", "median", "max")))
    console.print(table)


def _print_design(place: int, design: dict[str, Any], is_network: bool, console: Console) -> None:
    """A line for each mapping in the blueprint, with the genes that stand in it."""
    counts = ", ".join(f"{number(design[name])} {name}" for name in COUNTED if design[name])
    said = f": {counts or 'cannot be built'}" if is_network else ""
    text = f"\nDesign {place}, {design['fingerprint']}{said}"
    console.print(text, soft_wrap=True)
    homes: dict[str, list[str]] = {}
    for name, allele in design["genes"].items():
        home, _, short = name.rpartition(".")
        homes.setdefault(home, []).append(f"{short}={_plain(allele)}")
    grid = Table.grid(padding=(0, 2))
    for home, genes in homes.items():
        _add(grid, f"  {home}", " ".join(genes))
    console.print(grid)


def _range(gene: dict[str, Any]) -> str:
    if "alleles" in gene:
        return ", ".join(_plain(allele) for allele in gene["alleles"])
    return f"{_plain(gene['low'])} .. {_plain(gene['high'])}"


def _when(gene: dict[str, Any]) -> str:
    """`operation is inverted_residual`, the other gene by its full name if it stands elsewhere."""
    home = gene["name"].rpartition(".")[0]
    return ", ".join(
        f"{other.removeprefix(f'{home}.')} is {' or '.join(_plain(allele) for allele in wanted)}"
        for other, wanted in (gene["when"] or {}).items()
    )


def _plain(allele: Any) -> str:
    """An allele as it would stand in a space file."""
    if allele is None or isinstance(allele, bool):
        return {None: "null", True: "true", False: "false"}[allele]
    return f"{allele:.6g}" if isinstance(allele, float) else str(allele)


def _many(size: int | None) -> str:
    """A number of designs: exact below a million.

    >>> [_many(size) for size in (12288, 115422332637413376, None)]
    ['12288', '1.2e17', 'infinitely many']
    """
    if size is None:
        return "infinitely many"
    return str(size) if size < 10**6 else f"{Decimal(size):.1e}".replace("e+", "e")


def _table(first: str, *heads: str) -> Table:
    """An empty table whose first column keeps to one line; the others break but lose nothing."""
    table = Table()
    table.add_column(first, no_wrap=True)
    for head in heads:
        table.add_column(head, overflow="fold")
    return table


def _add(table: Table, *cells: Any) -> None:
    """A row of values as texts."""
    table.add_row(*map(str, cells))
