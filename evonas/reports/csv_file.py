"""Trials as a CSV file."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evonas.files import write_atomically
from evonas.reports.escape import csv_cell


def write_csv(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """One line a trial; columns that a trial does not have stay empty.

    Raises:
        FileError: The file cannot be written.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writerow({name: csv_cell(name) for name in columns})
    writer.writerows({k: csv_cell(v) for k, v in row.items()} for row in rows)
    write_atomically(path, text.getvalue())
