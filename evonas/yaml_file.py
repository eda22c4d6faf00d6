"""YAML files read safely, with the line of every value, so that errors can point at it."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from evonas.errors import EvonasError
from evonas.files import write_atomically

KeyPath = tuple[str | int, ...]

PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


def read_yaml(path: Path, error: type[EvonasError]) -> tuple[Any, dict[KeyPath, int]]:
    """The plain values of a file, and the line (from 1) on which each key path starts.

    Args:
        error: The class to raise for a file that is missing or is not YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise error(f"There is no file {path}.") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise error(f"{path} cannot be read: {problem}.") from None
    try:
        return _read(text, path, error)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark
        place = f" (line {mark.line + 1})" if mark else ""
        raise error(f"{path.name}{place}: not YAML: {problem.problem}.") from None
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as problem:
        # A control character, a list as a key, a date that is none, an anchor inside itself.
        raise error(f"{path.name}: not YAML that can be read: {problem}.") from None


def _read(text: str, path: Path, error: type[EvonasError]) -> tuple[Any, dict[KeyPath, int]]:
    loader = yaml.SafeLoader(text)
    lines: dict[KeyPath, int] = {}
    try:
        node = loader.get_single_node()
        value = None if node is None else _plain(loader, node, (), lines, path, error)
    finally:
        loader.dispose()
    return value, lines


def _plain(
    loader: yaml.SafeLoader,
    node: yaml.Node,
    key_path: KeyPath,
    lines: dict[KeyPath, int],
    path: Path,
    error: type[EvonasError],
) -> Any:
    lines[key_path] = node.start_mark.line + 1
    if isinstance(node, yaml.CollectionNode) and node.tag not in PLAIN_TAGS:
        raise error(f"{path.name} (line {lines[key_path]}): the tag {node.tag} means nothing here.")
    if isinstance(node, yaml.SequenceNode):
        return [
            _plain(loader, item, (*key_path, index), lines, path, error)
            for index, item in enumerate(node.value)
        ]
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node, deep=True)
    _refuse_repeated_keys(loader, node, path, error)
    loader.flatten_mapping(node)  # merge keys: "<<: *block"
    values: dict[Hashable, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        values[key] = _plain(loader, value_node, (*key_path, key), lines, path, error)
        if not isinstance(value_node, yaml.ScalarNode):
            lines[(*key_path, key)] = key_node.start_mark.line + 1
    return values


def _refuse_repeated_keys(
    loader: yaml.SafeLoader, node: yaml.MappingNode, path: Path, error: type[EvonasError]
) -> None:
    seen: set[Hashable] = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            line = key_node.start_mark.line + 1
            raise error(f'{path.name} (line {line}): the key "{key}" stands twice. Keep one.')
        seen.add(key)


def write_yaml(path: Path, value: Any) -> None:
    """Writes plain values in the order they have, all or nothing.

    Raises:
        FileError: The file cannot be written.
    """
    write_atomically(path, yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
