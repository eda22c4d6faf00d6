"""What the doctor found, for a terminal: a line as soon as each check is done."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.text import Text

from evonas.reports.escape import printable_lines


def print_checks(checks: Iterable[Any], console: Console) -> None:
    """One line a check: its mark, its name, what there is to know."""
    for check in checks:
        mark = Text("ok  ", "green") if check.ok else Text("bad ", "red")
        line = printable_lines(f" {check.name:<9} {check.detail}")
        console.print(Text.assemble(mark, line), soft_wrap=True)
