"""Space files as they are written: found, their repeated items written out, joined as in `a+b`."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evonas.errors import EvonasError, SpaceError
from evonas.registry import did_you_mean, unknown_name
from evonas.settings.fields import SPACE_PART, is_space_path
from evonas.space.backbones import AT, WORD, backbone_of
from evonas.space.gene import KeyPath, dotted, is_gene
from evonas.yaml_file import DEEPEST, read_yaml

MOST_VALUES = 200_000  # of a space, all copies written out: each may become a gene

SECTIONS = ("network", "training", "compression", "values")
SUBJECTS = ("network", "values")  # what a space is of: it has one of them, or both
KNOWN_KEYS = ("title", "source", "scales", *SECTIONS)

HAS_SUBJECT = re.compile(rf"^['\"]?({'|'.join(SUBJECTS)})\b", re.M)

Line = tuple[str, int]  # file and line

# A message as `SpaceDocument.place` begins it.
MESSAGE = re.compile(r"(?P<file>[^\n]+?), (?P<keys>\S+) \(line (?P<line>\d+)\): (?P<text>.*)", re.S)


@dataclass(frozen=True)
class SpaceDocument:
    """What the files of a space say together, every item of a list written out.

    `values` are plain: written to one file and read again, they make the same space. `lines` has
    the place of each key path in them, `problems` what was found wrong on the way.
    """

    name: str
    values: dict[str, Any]
    lines: Mapping[KeyPath, Line]
    problems: tuple[str, ...]

    def place(self, key_path: KeyPath) -> str:
        """File, dotted key and line, for messages; of what is around a key that is not there."""
        while key_path and key_path not in self.lines:
            key_path = key_path[:-1]
        return _place(*self.lines[key_path], key_path)


def _place(file: str, line: int, key_path: KeyPath) -> str:
    """File, dotted key and line, if there is one: a space given from Python has none."""
    return f"{file}, {dotted(key_path)}" + (f" (line {line})" if line else "")


def told_once(problems: Iterable[str]) -> list[str]:
    """Messages of which each says something new.

    What is written once may stand in many places, by an alias or a `repeat`: the same mistake in
    the same line is told once, and in other lines of the file by their numbers.
    """
    lines: dict[tuple[str, str], list[str]] = {}
    first: dict[tuple[str, str], re.Match[str] | str] = {}
    for problem in problems:
        found = MESSAGE.fullmatch(problem)
        key = (found["file"], found["text"]) if found else ("", problem)
        first.setdefault(key, found or problem)
        lines.setdefault(key, []).extend([found["line"]] if found else [])
    return [_with_lines(message, dict.fromkeys(lines[key])) for key, message in first.items()]


def _with_lines(message: re.Match[str] | str, lines: Iterable[str]) -> str:
    if isinstance(message, str):
        return message
    others = [line for line in lines if line != message["line"]]
    also = f"; also line{'s' if len(others) > 1 else ''} {', '.join(others)}" if others else ""
    file, keys, line, text = message.groups()
    return f"{file}, {keys} (line {line}{also}): {text}"


def known_spaces() -> dict[str, Path]:
    """Names and files of the spaces that `space=NAME` finds and that can be searched."""
    return {name: file for name, file in _known_files().items() if _has_subject(file)}


def known_parts() -> dict[str, Path]:
    """Names and files of what `space=NAME+PART` finds and that is no space of its own."""
    return {name: file for name, file in _known_files().items() if not _has_subject(file)}


def _has_subject(file: Path) -> bool:
    """Told by its lines: files are listed more often than read."""
    return HAS_SUBJECT.search(file.read_text(encoding="utf-8", errors="replace")) is not None


def _known_files() -> dict[str, Path]:
    """Files by name; the user's own come first."""
    package = Path(__file__).resolve().parent.parent
    # A wheel carries the files inside the package, a source tree beside it.
    folders = [package / "_search_spaces", package.parent / "search_spaces", Path("search_spaces")]
    return {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}


def find_space(part: str) -> Path:
    """The file of that name, or of that path if it has a slash or ends in `.yaml`.

    Raises:
        SpaceError: There is no such space.
    """
    if is_space_path(part):
        return Path(os.path.expanduser(part))
    known = _known_files()
    if part not in known:
        raise SpaceError(unknown_name(known, part, "space"))
    return known[part]


def space_name(words: str) -> str:
    """What the space `a+./b.yaml` is called: `a+b`.

    Raises:
        SpaceError: Nothing stands before or behind a plus.
    """
    return "+".join(_called(part) for part in space_parts(words))


def space_parts(words: str) -> list[str]:
    """The names and paths that are joined.

    >>> space_parts("nano+./c++/mine.yaml+more")
    ['nano', './c++/mine.yaml', 'more']

    Raises:
        SpaceError: Nothing stands before or behind a plus.
    """
    parts = SPACE_PART.findall(words)
    if not parts or "+".join(parts) != words:
        raise SpaceError(
            f"space={words} has an empty part. Join names and paths by one plus, as in "
            "space=mobile_cells+./mine.yaml."
        )
    return parts


def read_space(words: str) -> SpaceDocument:
    """What the files of the space say together, each part a name or a path (see `find_space`).

    Raises:
        SpaceError: There is no such space, or its files cannot be read or joined.
    """
    parts, problems = [], []
    for word in space_parts(words):
        try:
            parts.append(_Part(word, find_space(word), _called(word)))
        except SpaceError as error:
            problems += error.problems
    if problems:
        raise SpaceError(problems)
    names = [part.file for part in parts]
    for part in parts:
        if names.count(part.path.name) > 1:
            part.file = str(part.path)
    return _joined(parts, words)


def read_part(name: str) -> SpaceDocument:
    """What a file says that is joined to others, whether or not it says what is searched.

    Raises:
        SpaceError: As in `read_space`.
    """
    return _joined([_Part(name, find_space(name), name)], name, is_whole=False)


def read_space_file(file: Path, name: str | None = None) -> SpaceDocument:
    """What one file says, called like the file unless it is given a name.

    Raises:
        SpaceError: As in `read_space`.
    """
    return _joined([_Part(str(file), file, name or file.stem)], str(file))


def document_of(values: Mapping[str, Any], name: str) -> SpaceDocument:
    """What a mapping says that is written like a space file.

    Raises:
        SpaceError: As in `read_space`; or there is something in it that no file could hold.
    """
    lines: dict[KeyPath, int] = {}
    plain = _plain(values, (), name, lines)
    return _joined([_Part(name, Path(name), name, (plain, lines))], name)


def _plain(value: Any, key_path: KeyPath, name: str, lines: dict[KeyPath, int]) -> Any:
    """A copy of lists, mappings and single values; notes their key paths, which have no lines."""
    lines[key_path] = 0
    if len(key_path) > DEEPEST:
        top = _place(name, 0, key_path[:1])
        raise SpaceError(f"{top}: more than {DEEPEST} lists and mappings are inside each other.")
    if isinstance(value, Mapping):
        return {key: _plain(inner, (*key_path, key), name, lines) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, (*key_path, index), name, lines) for index, inner in enumerate(value)]
    if type(value) not in (str, int, float, bool, type(None)):
        raise SpaceError(
            f"{_place(name, 0, key_path)}: {value!r} is of type {type(value).__name__}. "
            "Write words, numbers, true or false, and lists and mappings of them."
        )
    return value


class _Part:
    """One file: its sections with all items written out, and the line of each key path.

    `file` is what messages call it. `read` holds the values and lines of what is no file.
    """

    def __init__(
        self,
        word: str,
        path: Path,
        name: str,
        read: tuple[Any, dict[KeyPath, int]] | None = None,
    ) -> None:
        self.word = word
        self.path = path
        self.name = name
        self.file = path.name
        self._problems: list[tuple[KeyPath, str]] = []
        self.lines: dict[KeyPath, int] = {}
        found, self._written = read or read_yaml(path, SpaceError)
        values = found if isinstance(found, dict) else {}
        self.title = str(values.pop("title", None) or name)
        self.source = str(values.pop("source", None) or "")
        self._check_keys(values)
        if not values and not self._problems:
            sections = ", ".join(SECTIONS)
            raise SpaceError(
                f"{self.file} is no search space: it has none of the sections {sections}."
            )
        self._write_out_backbone(values)
        self._size(values, ())
        self.values = self._written_out(values, (), ())

    @property
    def problems(self) -> list[str]:
        """What is wrong, with its place as it is written."""
        return [
            f"{_place(self.file, self._written[written], written)}: {problem}"
            for written, problem in self._problems
        ]

    def where(self, key_path: KeyPath) -> str:
        """File and line of a key that is there."""
        return f"{self.file} (line {self.lines[key_path]})"

    def _check_keys(self, values: dict[str, Any]) -> None:
        for key in list(values):
            if key not in KNOWN_KEYS:
                known = f"Known: {', '.join(KNOWN_KEYS)}."
                hint = did_you_mean(KNOWN_KEYS, str(key))
                self._problems.append(((key,), f"there is no such section. {hint}{known}"))
                del values[key]
            elif key in SECTIONS and not isinstance(values[key] or {}, dict):
                self._problems.append(((key,), "a section holds keys with values."))
                values[key] = {}
            elif key in SECTIONS:
                values[key] = values[key] or {}

    def _write_out_backbone(self, values: dict[str, Any]) -> None:
        """A published network's layers in place of its name; keys beside that replace its own.

        Where a gene chooses the name, that is done in each design.
        """
        section, key = AT
        network = values.get(section) or {}
        backbone = network.get(key)
        if not isinstance(backbone, dict) or WORD not in backbone:
            return
        path = (*AT, WORD)
        if is_gene(backbone[WORD]):
            self._check_choice(backbone[WORD], path)
            return
        published = self._published(backbone[WORD], path)
        own = {name: value for name, value in backbone.items() if name != WORD}
        values[section] = {**network, key: {**published, **own}}
        for inner in _paths({name: published[name] for name in published if name not in own}):
            self._written[(*AT, *inner)] = self._written[path]

    def _check_choice(self, gene: Mapping[str, Any], path: KeyPath) -> None:
        """A gene of backbones is a choice of networks that are one."""
        names = gene.get("choice")
        if not isinstance(names, list) or len(gene) > 1:
            problem = "a backbone is chosen by choice alone, as in {choice: [resnet18, darknet53]}."
            self._problems.append((path, problem))
            return
        for name in names:
            self._published(name, path)

    def _published(self, name: Any, path: KeyPath) -> Mapping[str, Any]:
        """The backbone of a published network; nothing, and told, if there is none."""
        try:
            return backbone_of(name)
        except EvonasError as error:
            self._problems += [(path, problem) for problem in error.problems]
            return {}

    def _size(self, value: Any, written: KeyPath) -> int:
        """How many values it is with its repeated items, before they are written out.

        Raises:
            SpaceError: They are more than a file may have.
        """
        size = 1
        for key, inner in items_in(value):
            times = _copies(inner) if isinstance(value, list) else 1
            size += times * self._size(inner, (*written, key))
            if size > MOST_VALUES:
                path = (*written, key, "repeat") if times > 1 else (*written, key)
                place = _place(self.file, self._written[path], path)
                raise SpaceError(
                    f"{place}: with what repeat copies there are more than {MOST_VALUES:,} values. "
                    "Write less."
                )
        return size

    def _written_out(self, value: Any, written: KeyPath, key_path: KeyPath) -> Any:
        """The value with its repeated items; takes down the line of each key path in it."""
        self.lines[key_path] = self._written[written]
        if isinstance(value, dict):
            return {
                key: self._written_out(inner, (*written, key), (*key_path, key))
                for key, inner in value.items()
            }
        if not isinstance(value, list):
            return value
        items: list[Any] = []
        for index, item in enumerate(value):
            once, count = self._once_and_count(item, (*written, index))
            for _ in range(count):
                path = (*key_path, len(items))
                items.append(self._written_out(once, (*written, index), path))
        return items

    def _once_and_count(self, item: Any, written: KeyPath) -> tuple[Any, int]:
        """An item of a list without its `repeat`, and how often it stands there."""
        if not isinstance(item, dict) or "repeat" not in item:
            return item, 1
        count = _copies(item)
        if not count:
            problem = (
                f"{item['repeat']} is no number of copies. Write a whole number of at least 1."
            )
            self._problems.append(((*written, "repeat"), problem))
        return {key: inner for key, inner in item.items() if key != "repeat"}, max(1, count)


def items_in(value: Any) -> Iterable[tuple[Any, Any]]:
    """Keys of a mapping, or places in a list, with what stands there."""
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _paths(value: Any) -> Iterator[KeyPath]:
    """The key paths of all that is in here."""
    for key, inner in items_in(value):
        yield (key,)
        yield from ((key, *path) for path in _paths(inner))


def _copies(item: Any) -> int:
    """How often an item of a list stands there; 0 if its `repeat` is no such number."""
    count = item.get("repeat", 1) if isinstance(item, dict) else 1
    return count if type(count) is int and count > 0 else 0


def _joined(parts: Sequence[_Part], words: str, is_whole: bool = True) -> SpaceDocument:
    problems = [problem for part in parts for problem in part.problems]
    fault = _subject_fault(parts, words) if is_whole else None
    if fault:
        raise SpaceError([*problems, fault])
    values: dict[str, Any] = {}
    owners: dict[KeyPath, _Part] = {}
    for part in parts:
        for path in _lay_into(values, part.values, ()):
            places = f"{owners[path].where(path)} and in {part.where(path)}"
            problems.append(f"{dotted(path)} stands in {places}. Keep one.")
        if "network" in part.values:
            owners[()] = part  # what is missing is missing there
        for path in part.lines:
            owners.setdefault(path, part)
    source = "; ".join(part.source for part in parts if part.source)
    values["title"] = " + ".join(part.title for part in parts)
    values |= {"source": source} if source else {}
    return SpaceDocument(
        "+".join(part.name for part in parts),
        {key: values[key] for key in KNOWN_KEYS if key in values},
        {path: (part.file, part.lines[path]) for path, part in owners.items()},
        tuple(problems),
    )


def _subject_fault(parts: Sequence[_Part], words: str) -> str | None:
    """What is wrong if no part says what is searched, or several say what is built."""
    if not any(section in part.values for part in parts for section in SUBJECTS):
        files = " and ".join(part.file for part in parts)
        return (
            f"{files} {'has' if len(parts) == 1 else 'have'} no section network and no section "
            f"values. Join a space that has one, space=NAME+{words}: evonas spaces lists them."
        )
    having = [part for part in parts if "network" in part.values]
    if len(having) < 2:
        return None
    places = " and ".join(part.where(("network",)) for part in having)
    rest = "+".join(part.word for part in parts if part not in having[1:])
    return f"{places} have a section network each. Keep one, as in space={rest}."


def _lay_into(
    own: dict[str, Any], other: Mapping[str, Any], key_path: KeyPath
) -> Iterator[KeyPath]:
    """Adds the other's keys, sections key by key; gives the key paths that both have."""
    for key, value in other.items():
        path = (*key_path, key)
        if key not in own:
            own[key] = value
        elif path[0] in SECTIONS and _is_group(own[key]) and _is_group(value):
            yield from _lay_into(own[key], value, path)
        else:
            yield path


def _is_group(value: Any) -> bool:
    return isinstance(value, dict) and not is_gene(value)


def _called(part: str) -> str:
    return Path(part).stem if is_space_path(part) else part
