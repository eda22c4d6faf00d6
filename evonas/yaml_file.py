"""YAML files read safely, with the line of every value, so that errors can point at it.

Single values are what the core schema of YAML 1.2 makes of them (yaml.org/spec/1.2.2, section
10.3): `1e-3` is a number and `0o10` is 8. What the widespread YAML 1.1 makes something else of
without a word, as of `010`, `1:30`, `1_000` or `on`, is refused. Merge keys (`<<`) are 1.1's.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import yaml

from evonas.errors import EvonasError, brief
from evonas.files import write_atomically

KeyPath = tuple[str | int, ...]

MOST_BYTES = 16 * 2**20
MOST_VALUES = 1_000_000  # with what aliases repeat: eight lines of them can stand for billions
MOST_PROBLEMS = 100
DEEPEST = 100  # lists and mappings inside each other
LARGEST_WHOLE = 2**64 - 1  # a seed may be as large
LONGEST_WHOLE = len(f"-{LARGEST_WHOLE:#o}")  # Python takes its time for thousands of digits

MERGE = "<<"

WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
WHOLE = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

# The fast parser and writer of libyaml, which a PyYAML from a source tree may lack.
_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def _decimal(text: str) -> str:
    digits = text.replace("_", "")
    octal = "" if set(digits) & {"8", "9"} else f", or {int(digits, 8)} if that is meant"
    return f"{int(digits)}{octal}"


def _sixties(text: str) -> str:
    total = 0.0
    for part in text.replace("_", "").lstrip("+-").split(":"):
        total = total * 60 + float(part)
    return f"{'-' * text.startswith('-')}{total:.12g}"


# What YAML 1.1 makes something else of than 1.2 does, and what to write in place of it.
SWITCHES: Mapping[str, str] = {
    **dict.fromkeys(("yes", "Yes", "YES", "on", "On", "ON"), "true"),
    **dict.fromkeys(("no", "No", "NO", "off", "Off", "OFF"), "false"),
}
AMBIGUOUS: Sequence[tuple[re.Pattern[str], Callable[[str], str]]] = (
    (re.compile(r"[-+]?0[0-9_]+"), _decimal),
    (re.compile(r"[-+]?0b_*[01][01_]*"), lambda text: str(int(text.replace("_", ""), 2))),
    (
        re.compile(r"(?=.*[-+_])[-+]?0x_*[0-9a-fA-F][0-9a-fA-F_]*"),
        lambda text: str(int(text.replace("_", ""), 16)),
    ),
    (
        re.compile(r"(?=.*_)[-+]?(\.[0-9]|[0-9])[0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?"),
        lambda text: text.replace("_", ""),
    ),
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"), _sixties),
    (re.compile(r"\d{4}-\d\d?-\d\d?([Tt \t]+\d.*)?"), lambda text: ""),  # a date
)
LOOKS_LIKE_A_NUMBER = re.compile(r"[-+]?\.?[0-9]|[-+]?\.(inf|nan)", re.I)


def read_yaml(path: Path, error: type[EvonasError]) -> tuple[Any, dict[KeyPath, int]]:
    """The plain values of a file, and the line (from 1) on which each key path starts.

    Numbers are finite, keys are words, nothing is deeper than `DEEPEST`.

    Args:
        error: The class to raise for a file that is missing or is not such YAML.
    """
    return _Reader(path.name, error).read(_text(path, error))


def _text(path: Path, error: type[EvonasError]) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise error(f"{path} has more than {MOST_BYTES // 2**20} MiB: no file to read as YAML.")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise error(f"There is no file {path}.") from None
    except (OSError, ValueError) as problem:  # no UTF-8, or a path with a zero byte in it
        raise error(f"{path} cannot be read: {problem}.") from None


class _Anchor(NamedTuple):
    """What an alias repeats, and how many values that is; nothing while it is being read."""

    value: Any = None
    key_path: KeyPath = ()
    size: int = 0


class _Reader:
    """A text on its way to plain values, event by event, so that its size is known in time."""

    def __init__(self, file: str, error: type[EvonasError]) -> None:
        self.file = file
        self.error = error
        self.lines: dict[KeyPath, int] = {}
        self._events: Iterator[yaml.Event] = iter(())
        self._anchors: dict[str, _Anchor] = {}
        self._size = 0
        self._problems: list[str] = []

    def read(self, text: str) -> tuple[Any, dict[KeyPath, int]]:
        value = self._read(text)
        if self._problems:
            raise self.error(self._problems)
        return value, self.lines

    def _read(self, text: str) -> Any:
        self._events = yaml.parse(text, Loader=_PARSER)
        try:
            return self._document()
        except yaml.MarkedYAMLError as problem:
            mark = problem.problem_mark
            place = f" (line {mark.line + 1})" if mark else ""
            reason = f"{self.file}{place}: not YAML: {problem.problem}."
        except (yaml.YAMLError, UnicodeError) as problem:  # a control character, for example
            told = " ".join(str(problem).split())
            reason = f"{self.file}: not YAML that can be read: {told}."
        raise self.error([*self._problems, reason])

    def _document(self) -> Any:
        value = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(_line(event), "a second document begins here. Keep one in a file.")
                value = self._value(next(self._events), ())
        return value

    def _refuse(self, line: int, problem: str) -> NoReturn:
        """Ends the reading."""
        raise self.error([*self._problems, f"{self.file} (line {line}): {problem}"])

    def _complain(self, line: int, key_path: KeyPath, problem: str) -> None:
        """Notes what is wrong with a single value or key; the reading goes on."""
        place = ".".join(map(str, key_path)) or "the file"
        self._problems.append(f"{self.file}, {place} (line {line}): {problem}")
        if len(self._problems) == MOST_PROBLEMS:
            self._refuse(line, "here the reading ends, after so many mistakes.")

    def _grow(self, line: int, values: int, depth: int) -> None:
        """Counts values before they are made."""
        self._size += values
        if self._size > MOST_VALUES:
            repeated = ", with what aliases repeat" if self._anchors else ""
            self._refuse(line, f"there are more than {MOST_VALUES:,} values{repeated}.")
        if depth > DEEPEST:
            self._refuse(line, f"more than {DEEPEST} lists and mappings are inside each other.")

    def _value(self, event: yaml.Event, key_path: KeyPath) -> Any:
        line = self.lines[key_path] = _line(event)
        self._grow(line, 1, len(key_path))
        if isinstance(event, yaml.AliasEvent):
            anchor = self._anchor(event)
            self._grow(line, anchor.size, 0)
            return self._copy(anchor.value, anchor.key_path, key_path)
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent), "a value begins"
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._refuse(line, f"the tag {tag} means nothing here. Leave it out.")
        if not event.anchor:
            return self._content(event, key_path)
        before = self._size
        self._anchors[event.anchor] = _Anchor()
        value = self._content(event, key_path)
        self._anchors[event.anchor] = _Anchor(value, key_path, self._size - before)
        return value

    def _content(self, event: yaml.Event, key_path: KeyPath) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            return self._single(event, key_path)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(key_path)
        items = enumerate(self._inside())
        return [self._value(item, (*key_path, index)) for index, item in items]

    def _anchor(self, event: yaml.AliasEvent) -> _Anchor:
        anchor = self._anchors.get(str(event.anchor))
        if anchor is None:
            self._refuse(_line(event), f"no &{event.anchor} stands before *{event.anchor}.")
        if not anchor.key_path:
            self._refuse(_line(event), f"*{event.anchor} stands inside of what it repeats.")
        return anchor

    def _copy(self, value: Any, source: KeyPath, target: KeyPath) -> Any:
        """A value of one place at another one, with the lines where it is written."""
        line = self.lines[target] = self.lines[source]
        self._grow(line, 0, len(target))
        if isinstance(value, dict):
            return {k: self._copy(v, (*source, k), (*target, k)) for k, v in value.items()}
        if isinstance(value, list):
            return [self._copy(v, (*source, i), (*target, i)) for i, v in enumerate(value)]
        return value

    def _inside(self) -> Iterator[yaml.Event]:
        """The events up to the end of the list or mapping that has begun."""
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
                return
            yield event

    def _single(self, event: yaml.ScalarEvent, key_path: KeyPath) -> Any:
        if not event.implicit[0]:  # in quotes, or a block of text
            return event.value
        try:
            return _plain(event.value)
        except ValueError as problem:
            self._complain(_line(event), key_path, str(problem))
            return event.value

    def _mapping(self, key_path: KeyPath) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, tuple[Any, KeyPath]] = {}
        for event in self._inside():
            if _is_merge(event):
                merged |= self._merged(next(self._events), (*key_path, MERGE))
                continue
            key = self._key(event, key_path)
            if key in own:
                self._refuse(_line(event), f'the key "{key}" stands twice. Keep one.')
            value = next(self._events)
            own[key] = self._value(value, (*key_path, key))
            if not isinstance(value, yaml.ScalarEvent):
                self.lines[(*key_path, key)] = _line(event)
        copies = {
            key: own[key] if key in own else self._copy(value, source, (*key_path, key))
            for key, (value, source) in merged.items()
        }
        return {**copies, **own}

    def _merged(self, event: yaml.Event, key_path: KeyPath) -> dict[str, tuple[Any, KeyPath]]:
        """What a merge key brings, each value with its place; of several mappings the first's."""
        value = self._value(event, key_path)
        mappings = {key_path: value}
        if isinstance(value, list):
            mappings = {(*key_path, index): each for index, each in enumerate(value)}
        brought: dict[str, tuple[Any, KeyPath]] = {}
        for place, mapping in reversed(mappings.items()):
            if not isinstance(mapping, dict):
                self._refuse(_line(event), f"{MERGE} takes a mapping, or a list of mappings.")
            brought |= {key: (inner, (*place, key)) for key, inner in mapping.items()}
        return brought

    def _key(self, event: yaml.Event, key_path: KeyPath) -> str:
        if isinstance(event, yaml.AliasEvent):
            key = self._anchor(event).value
        elif isinstance(event, yaml.ScalarEvent) and event.tag is None:
            key = self._single(event, (*key_path, event.value))
        else:
            self._refuse(_line(event), "a key is a word: no list, no mapping, nothing with a tag.")
        if isinstance(key, str):
            return key
        problem = f"this key is no word, it is read as {key!r}. Put it in quotes."
        self._complain(_line(event), (*key_path, str(key)), problem)
        return str(key)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _is_merge(event: yaml.Event) -> bool:
    return isinstance(event, yaml.ScalarEvent) and event.value == MERGE and event.implicit[0]


def _plain(text: str) -> str | int | float | bool | None:
    """What letters without quotes mean.

    Raises:
        ValueError: They mean something else to YAML 1.1, or a number that is not held.
    """
    if text in WORDS:
        return WORDS[text]
    if text in SWITCHES:
        raise ValueError(_ambiguous(text, SWITCHES[text]))
    return _number(text) if LOOKS_LIKE_A_NUMBER.match(text) else text


def _number(text: str) -> str | int | float:
    for pattern, meant in AMBIGUOUS:
        if pattern.fullmatch(text):
            raise ValueError(_ambiguous(text, meant(text) if len(text) <= LONGEST_WHOLE else ""))
    if WHOLE.fullmatch(text):
        if len(text) <= LONGEST_WHOLE and abs(int(text, 0)) <= LARGEST_WHOLE:
            return int(text, 0)
        raise ValueError(f"{brief(text)} is beyond {LARGEST_WHOLE}, the largest whole number here.")
    if NOT_FINITE.fullmatch(text) or (REAL.fullmatch(text) and math.isinf(float(text))):
        raise ValueError(f"{brief(text)} is no finite number. Write one, or a word in quotes.")
    return float(text) if REAL.fullmatch(text) else text


def _ambiguous(text: str, meant: str) -> str:
    write = f"{meant}, or " if meant else ""
    return (
        f"{brief(text)} means one thing to YAML 1.1 and another to YAML 1.2. Write {write}"
        f'"{brief(text)}" if it is a word.'
    )


class _Writer(_DUMPER):  # type: ignore[misc, valid-type]
    """Writes for readers of both versions: what either makes something else of is in quotes."""

    def word(self, text: str) -> yaml.Node:
        """A word, in quotes where it would be read as a number."""
        style = '"' if LOOKS_LIKE_A_NUMBER.match(text) else None
        node: yaml.Node = self.represent_scalar("tag:yaml.org,2002:str", text, style=style)
        return node


_Writer.add_representer(str, _Writer.word)


def write_yaml(path: Path, value: Any) -> None:
    """Writes plain values in the order they have, all or nothing; `read_yaml` gives them back.

    Raises:
        FileError: The file cannot be written.
    """
    text = yaml.dump(value, Dumper=_Writer, sort_keys=False, allow_unicode=True)
    write_atomically(path, text)
