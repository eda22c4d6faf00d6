"""Pickles of plain values, read without running anything that they ask for.

A pickle is a program. This reads its instructions and carries out those that make bytes,
strings, numbers, lists, dicts and numpy arrays; whatever else it names is refused. Nothing is
imported and nothing of the pickle's is called.
"""

import pickletools
import re
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
PUSHED = {
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "BINFLOAT",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "SHORT_BINBYTES",
    "BINBYTES",
    "BINBYTES8",
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def read_plain_pickle(file: Path) -> dict[str, Any]:
    """The dict that a file holds, its keys as strings.

    Strings of Python 2 become bytes.

    Raises:
        DataError: It is missing or damaged, is no dict, or wants anything that is not plain.
    """
    content = read_bytes(file)
    try:
        value = _Machine().run(content)
        if not isinstance(value, dict):
            raise DataError(f"{file} holds no dict of values by name.")
        return {_text(key): _finished(item) for key, item in value.items()}
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


class _Machine:
    """The part of the pickle machine that plain values need."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, content: bytes) -> Any:
        """The value that is left at the end."""
        for opcode, argument, _ in pickletools.genops(content):
            self._step(opcode.name, argument)
        return self.stack.pop()

    def _step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in PUSHED:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in ("BINSTRING", "SHORT_BINSTRING"):
            stack.append(argument.encode("latin-1"))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name == "MARK":
            self.marks.append(len(stack))
        elif name == "GLOBAL":
            stack.append(_admitted(argument))
        elif name == "STACK_GLOBAL":
            module, attribute = self._pop(2)
            stack.append(_admitted(f"{module} {attribute}"))
        elif name not in ("PROTO", "FRAME", "STOP"):
            self._combine(name)

    def _combine(self, name: str) -> None:
        """Instructions that take values from the stack and make something of them."""
        stack = self.stack
        if name in TUPLES:
            stack.append(tuple(self._pop(TUPLES[name])))
        elif name in ("TUPLE", "EMPTY_TUPLE"):
            stack.append(tuple(self._marked()) if name == "TUPLE" else ())
        elif name in ("EMPTY_LIST", "EMPTY_DICT"):
            stack.append([] if name == "EMPTY_LIST" else {})
        elif name in ("APPEND", "APPENDS"):
            items = self._marked() if name == "APPENDS" else self._pop(1)
            stack[-1].extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = self._marked() if name == "SETITEMS" else self._pop(2)
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name == "REDUCE":
            stack.append(_made(*self._pop(2)))
        elif name == "BUILD":
            (state,) = self._pop(1)
            stack[-1].build(state)
        else:
            raise _Refused(f"the instruction {name}")

    def _pop(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise IndexError(count)
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def _marked(self) -> list[Any]:
        start = self.marks.pop()
        taken = self.stack[start:]
        del self.stack[start:]
        return taken


def _admitted(name: str) -> _Global:
    if name not in ADMITTED:
        raise _Refused(name.replace(" ", "."))
    return _Global(name)


def _made(function: Any, arguments: Any) -> Any:
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


def _finished(value: Any) -> Any:
    return value.value if isinstance(value, _Array) else value
