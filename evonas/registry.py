"""Names to things: every table of alternatives is asked through `pick`."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from evonas.errors import UnknownName

Thing = TypeVar("Thing")


def pick(table: Mapping[str, Thing], name: str, kind: str) -> Thing:
    """The entry called `name`.

    Args:
        kind: What the table holds, in one word, for the message ("space", "objective").

    Raises:
        UnknownName: Nothing is called so; the message has the nearest match and all names.
    """
    if name in table:
        return table[name]
    raise UnknownName(unknown_name(table, name, kind))


def unknown_name(known: Iterable[str], name: str, kind: str) -> str:
    """The message for a name that is in no table.

    >>> unknown_name(["nano", "digits"], "digit", "space")
    'There is no space called "digit". Did you mean "digits"? Known: digits, nano.'
    """
    names = sorted(known)
    return (
        f'There is no {kind} called "{name}". {did_you_mean(names, name)}Known: {", ".join(names)}.'
    )


def did_you_mean(known: Iterable[str], name: str) -> str:
    """`Did you mean "...?" ` with a blank behind it, or nothing when no name is near."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f'Did you mean "{near[0]}"? ' if near else ""
