"""What users and files name is shown as it is, and does nothing to terminals and spreadsheets."""

import csv
import io
import re
from pathlib import Path

import pytest
from conftest import typed
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from evonas.doctor import Check
from evonas.reports.console import PlainConsole
from evonas.reports.csv_file import write_csv
from evonas.reports.doctor_lines import print_checks
from evonas.reports.escape import csv_cell, printable, printable_lines
from evonas.reports.models import print_predictions

INERT = ["[bold]x[/bold]", "[/red]", ":smile:", "a[1]", "[link=file:///x]y[/link]"]
INERT += ["täst 猫 👩‍🔬", "a\\b"]
ACTIVE = {
    "\x1b[31mred": r"\x1b[31mred",
    "\x9b2J": r"\x9b2J",
    "a\rb": r"a\rb",
    "a\bb\x07": r"a\x08b\x07",
    "photo\u202egnp.exe": r"photo\u202egnp.exe",
    "line\u2028line": r"line\u2028line",
    "byte\udcff": r"byte\xff",
    "half\ud83d": r"half\ud83d",
    "\x1b]0;title\x07": r"\x1b]0;title\x07",
}


def shown(*renderables: object) -> str:
    console = PlainConsole(file=io.StringIO(), force_terminal=True, width=100)
    for renderable in renderables:
        console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def without_styles(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("text", INERT)
def test_text_without_control_characters_is_shown_as_it_is(text: str) -> None:
    assert printable(text) == text
    assert shown(text) == f"{text}\n"


@pytest.mark.parametrize("text", ACTIVE)
def test_what_a_terminal_acts_upon_is_written_out(text: str) -> None:
    assert printable(text) == ACTIVE[text]
    assert shown(text) == f"{ACTIVE[text]}\n"


def test_line_feeds_are_kept_only_where_lines_are_meant() -> None:
    assert printable("a\nb\tc") == r"a\nb\tc"
    assert printable_lines("a\nb\tc") == "a\nb\\tc"


@pytest.mark.parametrize("text", [*INERT, *ACTIVE])
def test_cells_heads_titles_and_panels_show_the_same(text: str) -> None:
    table = Table(text, title=text)
    table.add_row(text)
    grid = Table.grid()
    grid.add_row(text)
    written = without_styles(shown(table, grid, Panel(grid)))
    assert written.count(ACTIVE.get(text, text)) == 5


def test_a_style_is_a_text() -> None:
    assert shown(Text("bad", "red")) == "\x1b[31mbad\x1b[0m\n"


def test_what_the_doctor_says_is_shown_as_it_is() -> None:
    console = PlainConsole(file=io.StringIO(), width=100)
    print_checks([Check("data", True, "[red]\x1b[2J"), Check("disk", False, "[/]")], console)
    assert console.file.getvalue() == (  # type: ignore[attr-defined]
        "ok   data      [red]\\x1b[2J\nbad  disk      [/]\n"
    )


def test_predictions_show_names_as_they_are() -> None:
    console = PlainConsole(file=io.StringIO(), width=100)
    print_predictions(
        [{"image": "a[b]\x1b[2J\n.png", "class": "[red]cat[/red]", "probability": 0.5}], console
    )
    written = console.file.getvalue()  # type: ignore[attr-defined]
    assert r"│ a[b]\x1b[2J\n.png │ [red]cat[/red] │" in written


@pytest.mark.parametrize("text", ["=1+1", "+1", "-x", "@sum", "-1"])
def test_texts_in_csv_files_are_no_formulas(text: str, tmp_path: Path) -> None:
    file = tmp_path / "trials.csv"
    write_csv([{text: text, "loss": -0.5, "note": "\x1b[2J\n=", "empty": None}], file)
    with open(file, newline="") as opened:
        head, row = csv.reader(opened)
    assert head == [f"'{text}", "loss", "note", "empty"]
    assert row == [f"'{text}", "-0.5", r"\x1b[2J\n=", ""]


def test_csv_cells_that_are_no_texts_stay() -> None:
    assert [csv_cell(value) for value in (-1, -1.5, None, True)] == [-1, -1.5, None, True]


def test_messages_of_the_command_line_show_what_was_typed() -> None:
    for words in (["space=\x1b[2Jx"], ["\x1b[31m=1"], ["data=folder", "data.path=\x1b[2J"]):
        result = typed("search", *words)
        assert result.returncode == 2
        assert "\x1b" not in result.stderr
        assert r"\x1b[" in result.stderr
