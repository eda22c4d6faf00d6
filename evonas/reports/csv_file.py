"""Trials as a CSV file."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evonas.errors import RunError
from evonas.reports.escape import csv_cell


def write_csv(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """One line a trial; columns that a trial does not have stay empty.

    Raises:
        RunError: The file cannot be written.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    try:
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writerow({name: csv_cell(name) for name in columns})
            writer.writerows({k: csv_cell(v) for k, v in row.items()} for row in rows)
    except OSError as problem:
        raise RunError(f"{path} cannot be written: {problem.strerror}.") from None
