"""Text that users and files name, made safe for a terminal and for a spreadsheet."""

import re
import sys
from typing import Any

# Control characters, separators of lines, what reorders text, bytes that are no UTF-8.
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SHORT = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}
_UNDECODED = 0xDC00  # Python stands for a byte that is no UTF-8 by the byte plus this
FORMULA_STARTS = ("=", "+", "-", "@")


def printable(text: str) -> str:
    r"""The text on one line, with each character that a terminal would act upon written out.

    >>> print(printable("a\x1b[31m\nb\u202e[bold]ü"))
    a\x1b[31m\nb\u202e[bold]ü
    """
    return _INVISIBLE.sub(_written_out, text)


def _written_out(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    if _UNDECODED + 0x80 <= code <= _UNDECODED + 0xFF:
        code -= _UNDECODED
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def printable_lines(text: str) -> str:
    """The same of a text whose line feeds are meant."""
    return "\n".join(map(printable, text.split("\n")))


def tell(text: str) -> None:
    """Prints lines on standard error, which is for all that is no result."""
    print(printable_lines(text), file=sys.stderr)


def csv_cell(value: Any) -> Any:
    """A value for a CSV file: texts are printable, and none is a spreadsheet's formula.

    Texts that would be one begin with an apostrophe, which spreadsheets do not show. Numbers stay.

    >>> [csv_cell(value) for value in ("=1+1", "-b", "cat", -1.5, None)]
    ["'=1+1", "'-b", 'cat', -1.5, None]
    """
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
