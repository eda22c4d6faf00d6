"""What the doctor found, for a terminal: a line as soon as each check is done."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape


def print_checks(checks: Iterable[Any], console: Console) -> None:
    """One line a check: its mark, its name, what there is to know."""
    for check in checks:
        mark = "[green]ok[/green]  " if check.ok else "[red]bad[/red] "
        console.print(f"{mark} {check.name:<9} {escape(check.detail)}", soft_wrap=True)
