"""Pickles of plain values, read without running anything that they ask for.

A pickle is a program. This reads its instructions and carries out those that make bytes,
strings, numbers, lists, dicts and numpy arrays; whatever else it names is refused. Nothing is
imported and nothing of the pickle's is called.
"""

import pickletools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evonas.data.data_files import read_bytes
from evonas.errors import DataError

# By these are arrays made, in pickles of old and of new versions of numpy and Python.
ADMITTED = {
    "numpy.core.multiarray _reconstruct": "array",
    "numpy._core.multiarray _reconstruct": "array",
    "numpy ndarray": "class",
    "numpy dtype": "dtype",
    "_codecs encode": "bytes",
}
NUMBERS = re.compile(r"b1|[uif][1248]")


def read_plain_pickle(file: Path) -> dict[str, Any]:
    """The dict that a file holds, its keys as strings.

    Strings of Python 2 become bytes.

    Raises:
        DataError: It is missing or damaged, is no dict, or wants anything that is not plain.
    """
    content = read_bytes(file)
    try:
        value = _run(content)
        if not isinstance(value, dict):
            raise DataError(f"{file} holds no dict of values by name.")
        return {_text(k): v.value if isinstance(v, _Array) else v for k, v in value.items()}
    except _Refused as refused:
        raise DataError(
            f"{file} was not loaded: it asks for {refused}, and only plain arrays, bytes, strings, "
            "numbers, lists and dicts are admitted. Get it from where it was published."
        ) from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, MemoryError):
        raise DataError(f"{file} is no whole pickle. It is truncated or damaged.") from None


class _Refused(Exception):
    """Something that is not plain; the message names it."""


class _Global(str):
    """The name of a function or class that is admitted; it is never looked up."""


class _Dtype:
    """Stands for a numpy dtype while it is put together."""

    def __init__(self, text: Any) -> None:
        self.text = _text(text)
        if not NUMBERS.fullmatch(self.text):
            raise _Refused(f"an array of {self.text!r}")

    def build(self, state: tuple[Any, ...]) -> None:
        self.text = {"|": "|", "<": "<", ">": ">"}[_text(state[1])] + self.text


class _Array:
    """Stands for a numpy array while it is put together."""

    value: NDArray[Any]

    def build(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, is_fortran, content = state
        if not isinstance(dtype, _Dtype) or not isinstance(content, bytes):
            raise _Refused("an array of objects")
        flat = np.frombuffer(content, dtype.text)
        self.value = flat.reshape(shape, order="F" if is_fortran else "C")


def _run(content: bytes) -> Any:
    """What the instructions leave in the end.

    Of each, `pickletools` says what it takes off the stack; it is refused if `MAKERS` does not say
    what it puts there.
    """
    stack: list[Any] = []
    memo: dict[Any, Any] = {}
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if argument is None else argument] = stack[-1]
        elif opcode.name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif opcode.name in MAKERS:
            taken = _take(stack, opcode.stack_before)
            stack.append(MAKERS[opcode.name](argument, *taken))
        elif opcode.name not in ("PROTO", "FRAME", "STOP"):
            raise _Refused(f"the instruction {opcode.name}")
    return stack.pop()


def _take(stack: list[Any], kinds: Sequence[pickletools.StackObject]) -> list[Any]:
    """Takes values of these kinds, those of a slice reaching down to the last mark."""
    items: list[Any] = []
    if pickletools.markobject in kinds:
        mark = max(place for place, value in enumerate(stack) if value is MARK)
        items = stack[mark + 1 :]
        del stack[mark:]
    single = len(kinds) - (2 if pickletools.markobject in kinds else 0)
    if len(stack) < single:
        raise IndexError(single)
    taken = stack[len(stack) - single :]
    del stack[len(stack) - single :]
    return taken + items


def _as_it_is(argument: Any) -> Any:
    return argument


def _appended(_: None, values: list[Any], *items: Any) -> list[Any]:
    values.extend(items)
    return values


def _with_items(_: None, values: dict[Any, Any], *items: Any) -> dict[Any, Any]:
    values.update(zip(items[::2], items[1::2], strict=True))
    return values


def _built(_: None, value: Any, state: tuple[Any, ...]) -> Any:
    value.build(state)
    return value


def _admitted(name: str) -> _Global:
    if name not in ADMITTED:
        raise _Refused(name.replace(" ", "."))
    return _Global(name)


def _made(_: None, function: Any, arguments: Any) -> Any:
    """What an admitted function would give."""
    kind = ADMITTED[function] if isinstance(function, _Global) else None
    if kind == "array":
        return _Array()
    if kind == "dtype":
        return _Dtype(arguments[0])
    if kind == "bytes" and arguments[1] == "latin1":
        return str(arguments[0]).encode("latin-1")
    raise _Refused(f"a call of {function}")


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


MARK = object()  # on the stack, where a slice begins

# Instructions to functions from their argument and what they take off the stack.
MAKERS: Mapping[str, Callable[..., Any]] = {
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"), _as_it_is),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE"), _as_it_is),
    **dict.fromkeys(("SHORT_BINBYTES", "BINBYTES", "BINBYTES8"), _as_it_is),
    **dict.fromkeys(("BINSTRING", "SHORT_BINSTRING"), lambda text: text.encode("latin-1")),
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "MARK": lambda _: MARK,
    "EMPTY_LIST": lambda _: [],
    "EMPTY_DICT": lambda _: {},
    **dict.fromkeys(("EMPTY_TUPLE", "TUPLE", "TUPLE1"), lambda _, *items: items),
    **dict.fromkeys(("TUPLE2", "TUPLE3"), lambda _, *items: items),
    **dict.fromkeys(("APPEND", "APPENDS"), _appended),
    **dict.fromkeys(("SETITEM", "SETITEMS"), _with_items),
    "GLOBAL": _admitted,
    "STACK_GLOBAL": lambda _, module, name: _admitted(f"{module} {name}"),
    "REDUCE": _made,
    "BUILD": _built,
}
