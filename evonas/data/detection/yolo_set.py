"""What a `data.yaml` of YOLO names: the classes, and where the images of each part are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evonas.data.data_files import read_text
from evonas.data.layout import PARTS, class_name
from evonas.data.walk import Walk
from evonas.errors import DataError

# All values as words: no class called "no" becomes False. The fast one is libyaml's.
PARSER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
CLASS_LIST = "classes.txt"  # what tools write that know no data.yaml
MOST_BYTES = 2**20


@dataclass(frozen=True)
class YoloSet:
    """The file that names the classes; the words that stand for images, of each part.

    Without `entries` parts are told from folders. `base` is the word for where entries start.
    `has_keypoints`: those follow a box on its line.
    """

    file: Path
    classes: tuple[str, ...]
    entries: Mapping[str, tuple[str, ...]]
    base: str = ""
    has_keypoints: bool = False


def yolo_set(found: Walk) -> YoloSet | None:
    """What the folder's data.yaml says, or its classes.txt; None: there is neither.

    Raises:
        DataError: Several files could be meant, or the one does not hold together.
    """
    yamls = {file: values for file in found.files if (values := _named(file)) is not None}
    if len(yamls) > 1:
        by_name = [file for file in yamls if file.stem == "data"]
        if len(by_name) != 1:
            raise DataError(
                f"{' and '.join(map(str, yamls))} name classes. Keep one, or call it data.yaml."
            )
        yamls = {by_name[0]: yamls[by_name[0]]}
    for file, values in yamls.items():
        return _of_yaml(file, values)
    for file in found.files:
        if file.name == CLASS_LIST:
            names = [line.strip() for line in read_text(file).splitlines()]
            return YoloSet(file, _classes(file, [name for name in names if name]), {})
    return None


def _named(file: Path) -> Mapping[str, Any] | None:
    """The values of a YAML file that names classes; None: it does not."""
    if file.suffix.lower() not in (".yaml", ".yml") or file.stat().st_size > MOST_BYTES:
        return None
    try:
        values = yaml.load(read_text(file), Loader=PARSER)
    except (yaml.YAMLError, ValueError, RecursionError, DataError) as error:
        if file.stem != "data":
            return None
        reason = " ".join(str(error).split())
        raise DataError(f"{file} is no YAML that can be read: {reason}") from None
    return values if isinstance(values, Mapping) and "names" in values else None


def _of_yaml(file: Path, values: Mapping[str, Any]) -> YoloSet:
    classes = _classes(file, _listed_names(file, values["names"]))
    count = values.get("nc", str(len(classes)))
    if count != str(len(classes)):
        raise DataError(f"{file}: nc is {count}, and names has {len(classes)}.")
    entries: dict[str, tuple[str, ...]] = {}
    for key, value in values.items():
        part = PARTS.get(str(key).lower())
        words = [value] if isinstance(value, str) else value
        if part is None or not words:
            continue
        if not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
            raise DataError(f"{file}: {key} has to be a folder, a file, or a list of these.")
        if part in entries:
            raise DataError(f"{file} has {part} twice. Keep one of them.")
        entries[part] = tuple(word for word in words if word)
    if entries and "train" not in entries:
        raise DataError(f"{file} names no images to train on. Call them train.")
    base = values.get("path", "")
    has_keypoints = "kpt_shape" in values
    return YoloSet(file, classes, entries, base if isinstance(base, str) else "", has_keypoints)


def _listed_names(file: Path, names: object) -> list[object]:
    """The names of the classes in their order, of a list or of a mapping of their numbers."""
    if isinstance(names, list):
        return names
    if not isinstance(names, Mapping):
        raise DataError(f"{file}: names has to be a list of classes, or numbers with their names.")
    ordered = [names.get(str(number)) for number in range(len(names))]
    if None in ordered:
        raise DataError(
            f"{file}: names has {len(names)} classes, and no number {ordered.index(None)}."
        )
    return ordered


def _classes(file: Path, names: list[object]) -> tuple[str, ...]:
    classes = tuple(class_name(name) for name in names if isinstance(name, str))
    twice = {name for name in classes if classes.count(name) > 1}
    if not classes or len(classes) < len(names) or twice:
        wrong = f"{min(twice)} twice" if twice else "what is no name" if names else "no class"
        raise DataError(f"{file} names {wrong}.")
    return classes
