"""The console that tables and lines are printed on."""

from typing import Any

from rich.console import Console
from rich.text import Text

from evonas.reports.escape import printable_lines


class PlainConsole(Console):
    """Shows every string as it is, in lines, cells, heads and titles.

    Markup and emoji codes in it mean nothing, control characters are written out. What is to have
    a style is a `Text`.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        """The string without meaning for terminals."""
        return super().render_str(printable_lines(text), **settings)
