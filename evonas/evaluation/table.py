"""A table of designs that others have evaluated: a CSV file, with the line of every row."""

import codecs
import csv
import gzip
import hashlib
import io
import math
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from evonas.errors import DataError

SEPARATORS = (",", ";", "\t")
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # as spreadsheets write it
COMMA_IN_NUMBER = re.compile(r"\s*[-+]?(\d+,\d*|,\d+)([eE][-+]?\d+)?\s*")
SHOWN = 5  # problems told of each column; the others are counted


@dataclass(frozen=True)
class Table:
    """Cells as they are written, by column; `lines` holds the line of each row in the file."""

    file: str
    columns: dict[str, tuple[str, ...]]
    lines: tuple[int, ...]
    key: str  # changes with the contents

    def place(self, column: str, row: int) -> str:
        """File, column and line, for messages."""
        return f"{self.file}, {column} (line {self.lines[row]})"

    def numbers(self, column: str) -> tuple[float, ...]:
        """The column as numbers.

        Raises:
            DataError: With the cells that are none, or are not finite.
        """
        found = tuple(_number(cell) for cell in self.columns[column])
        problems = [
            f"{self.place(column, row)}: {no_number(self.columns[column][row])}."
            for row, number in enumerate(found)
            if not math.isfinite(number)
        ]
        if problems:
            raise DataError(shortened(problems, f"{self.file}, {column}"))
        return found

    @cached_property
    def size(self) -> int:
        """The number of rows."""
        return len(self.lines)


def read_table(path: Path) -> Table:
    """The table in a file `NAME.csv` or `NAME.csv.gz`, whose first line names the columns.

    Cells are separated by commas, semicolons or tabs; the text is UTF-8, or UTF-16 with its mark.

    Raises:
        DataError: It is missing, damaged or empty, or its rows are not as long as its first line.
    """
    text = _text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        for cells in reader:
            if len(cells) > 1 or "".join(cells).strip():  # not a blank line
                rows.append([cell.strip() for cell in cells])
                lines.append(reader.line_num)
    except csv.Error as problem:
        raise DataError(f"{path.name} (line {reader.line_num}): not CSV: {problem}.") from None
    if len(rows) < 2:
        raise DataError(
            f"{path} is empty. Write the names of the columns in its first line and a design in "
            "each line below."
        )
    names, *rows = rows
    _check_shape(path.name, names, rows, lines)
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Table(path.name, columns, tuple(lines[1:]), key)


def no_number(cell: str) -> str:
    """What to tell of a cell that does not write a finite number."""
    with_point = ""
    if COMMA_IN_NUMBER.fullmatch(cell):
        with_point = f". Numbers are written with a point, as in {cell.replace(',', '.')}"
    return f"{cell or 'an empty cell'} is not a finite number{with_point}"


def shortened(problems: Sequence[str], what: str) -> list[str]:
    """The first few problems, and how many more there are of the same kind."""
    more = len(problems) - SHOWN
    return [*problems[:SHOWN], *([f"{what}: the same in {more} more lines."] if more > 0 else [])]


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
        return raw.decode("utf-16" if raw.startswith(UTF_16) else "utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"There is no file {path}.") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as problem:
        raise DataError(f"{path} cannot be read: {problem}.") from None


def _separator(text: str) -> str:
    """Comma, semicolon or tab: what stands between most of the names in the first line."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    unquoted = "".join(first.split('"')[::2])
    return max(SEPARATORS, key=unquoted.count)  # of equals the first: a comma


def _check_shape(
    file: str, names: Sequence[str], rows: Iterable[Sequence[str]], lines: Sequence[int]
) -> None:
    problems = [
        f'{file} (line {lines[0]}): the column "{name}" stands there twice. Keep one.'
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    uneven = [
        f"{file} (line {line}): {len(row)} cells, the first line names {len(names)} columns."
        for row, line in zip(rows, lines[1:], strict=True)
        if len(row) != len(names)
    ]
    if problems or uneven:
        raise DataError([*problems, *shortened(uneven, file)])


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
