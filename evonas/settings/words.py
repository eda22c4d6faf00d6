"""Words and files that set settings: `KEY=VALUE`.

Defaults give way to `config=FILE.yaml`, and that to words. `group=name` is short for
`group.name=name` (`data=folder`); `KEY=null` sets nothing, whatever a default or a file says.
A relative path starts from the folder of the file that it stands in, or from the working directory
if it is typed. Only shapes and types are checked here; names are looked up by those who own the
tables.
"""

import reprlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from evonas.errors import SettingsError
from evonas.registry import did_you_mean
from evonas.settings.fields import Group, Limits, in_folder
from evonas.settings.run_settings import Settings
from evonas.yaml_file import read_yaml

Nested = dict[str, Any]
NOT_SET = "null"  # as in YAML


class Words:
    """Settings as they were written: nested plain values and where each came from.

    Args:
        words: `KEY=VALUE`, or nested plain values.
        defaults: Nested values that give way to all others.
    """

    def __init__(
        self, words: Iterable[str] | Mapping[str, Any], defaults: Mapping[str, Any] | None = None
    ) -> None:
        self.values: Nested = {}
        self.origins: dict[tuple[str, ...], str] = {}
        self._ill_written: list[str] = []
        if defaults:
            self._merge(defaults, (), lambda _: "")
        if isinstance(words, Mapping):
            self._merge(words, (), ".".join)
            return
        own = [self._split(word) for word in words]
        for key, value in own:
            if key == "config":
                self._read_file(Path(value).expanduser())
        for key, value in own:
            if key and key != "config":
                keys = tuple(key.split("."))
                self._set(keys, None if value == NOT_SET else value, f"{key}={value}")

    def _split(self, word: str) -> tuple[str, str]:
        key, equals, value = word.partition("=")
        if equals and key:
            return key, value
        self._ill_written.append(
            f'"{word}" is not a setting. Write KEY=VALUE, for example run.seed=7.'
        )
        return "", ""

    def _read_file(self, path: Path) -> None:
        values, lines = read_yaml(path, SettingsError)
        if not isinstance(values, dict):
            raise SettingsError(f"{path.name} holds no settings. Write keys with values.")

        by_name = {tuple(str(key) for key in keys): line for keys, line in lines.items()}

        def origin(keys: tuple[str, ...]) -> str:
            return f"{path.name}, {'.'.join(keys)} (line {by_name[keys]})"

        self._merge(in_folder(values, path.parent.absolute()), (), origin)

    def _merge(self, values: Mapping[str, Any], keys: tuple[str, ...], origin: Any) -> None:
        for key, value in values.items():
            path = (*keys, str(key))
            if isinstance(value, Mapping):
                self._merge(value, path, origin)
            else:
                self._set(path, value, origin(path))

    def _set(self, keys: tuple[str, ...], value: Any, origin: str) -> None:
        if len(keys) == 1 and _is_named_group(keys[0]):
            keys = (keys[0], "name")
        holder = self.values
        for key in keys[:-1]:
            inner = holder.setdefault(key, {})
            if not isinstance(inner, dict):
                self._ill_written.append(
                    f"{origin}: {key} has a value already and takes no keys below it."
                )
                return
            holder = inner
        if isinstance(holder.get(keys[-1]), dict):
            self._ill_written.append(
                f"{origin}: {keys[-1]} is a group. Name a key of it, as in {keys[-1]}.KEY=VALUE."
            )
            return
        holder[keys[-1]] = value
        self.origins[keys] = origin

    @property
    def said(self) -> frozenset[tuple[str, ...]]:
        """The keys that have a value which is no default."""
        return frozenset(keys for keys, origin in self.origins.items() if origin)

    def read(self) -> tuple[Settings, list[str]]:
        """The settings, defaults where a word is wrong, and all that is wrong with the words."""
        values = self.values
        problems = list(self._ill_written)
        while True:
            try:
                return Settings.model_validate(values), problems
            except ValidationError as failure:
                for error in failure.errors():
                    keys = tuple(str(key) for key in error["loc"])
                    problems.append(self._explain(keys, error))
                    values = _without(values, keys)

    def _explain(self, keys: tuple[str, ...], error: Mapping[str, Any]) -> str:
        origin = next(
            (self.origins[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in self.origins),
            next(
                (o for path, o in self.origins.items() if path[: len(keys)] == keys), ".".join(keys)
            ),
        ) or ".".join(keys)
        if error["type"] == "extra_forbidden":
            return f"{origin}: {_unknown_key(keys)}"
        return f"{origin}: {_complaint(error)}."


def validate(group: type[Group], values: Mapping[str, Any], where: str) -> Any:
    """`values` as a settings group; for files that hold only one.

    Raises:
        SettingsError: With all problems, each behind `where`.
    """
    try:
        return group.model_validate(values)
    except ValidationError as failure:
        problems = []
        for error in failure.errors():
            key = ".".join(str(part) for part in error["loc"])
            hint = did_you_mean(group.model_fields, key)
            if error["type"] == "extra_forbidden":
                known = ", ".join(sorted(group.model_fields))
                problems.append(f'{where}: there is no key "{key}". {hint}Known: {known}.')
            else:
                place = f"{where}, {key}" if key else where
                problems.append(f"{place}: {_complaint(error)}.")
        raise SettingsError(problems) from None


def parse_limits(text: str | None, where: str) -> dict[str, Limits]:
    """`accuracy.min=0.97,latency_ms.max=2` as limits by measure.

    Raises:
        SettingsError: A piece is not MEASURE.min=NUMBER or MEASURE.max=NUMBER.
    """
    values: dict[str, dict[str, str]] = {}
    for piece in text.split(",") if text else []:
        key, _, value = piece.partition("=")
        name, _, end = key.strip().rpartition(".")
        if not name or end not in ("min", "max") or not value:
            raise SettingsError(f'{where}: "{piece}" is no limit. Write as in accuracy.min=0.97.')
        values.setdefault(name, {})[end] = value
    return {name: validate(Limits, ends, f"{where} {name}") for name, ends in values.items()}


def _complaint(error: Mapping[str, Any]) -> str:
    """What is wrong with a value, and the value if it is a single one."""
    message = str(error["msg"]).removeprefix("Value error, ")
    got = error.get("input")
    got = str(got) if isinstance(got, str) else got  # a FileWord is shown as the word it is
    shown = "" if isinstance(got, dict) else f", got {reprlib.repr(got)}"
    return f"{message[0].lower()}{message[1:]}{shown}"


def _unknown_key(keys: tuple[str, ...]) -> str:
    known = _keys_of(keys[:-1])
    hint = did_you_mean(known, keys[-1])
    if not hint:
        # The key of a group, written without its group.
        homes = [f"{g}.{keys[-1]}" for g in Settings.model_fields if keys[-1] in _keys_of((g,))]
        hint = f'Did you mean "{homes[0]}"? ' if homes else ""
    owner = ".".join(keys[:-1]) or "a run"
    return f'{owner} has no key "{keys[-1]}". {hint}Known: {", ".join(sorted(known))}.'


def _keys_of(keys: tuple[str, ...]) -> list[str]:
    group: Any = Settings
    for key in keys:
        field = group.model_fields.get(key)
        annotation = field.annotation if field else None
        inner = [a for a in get_args(annotation) if isinstance(a, type) and issubclass(a, Group)]
        if inner:  # dict[str, Limits]: any measure, then min or max
            return list(inner[0].model_fields)
        if not (isinstance(annotation, type) and issubclass(annotation, Group)):
            return []
        group = annotation
    return list(group.model_fields)


def _is_named_group(key: str) -> bool:
    return key != "run" and "name" in _keys_of((key,))


def _without(values: Nested, keys: tuple[str, ...]) -> Nested:
    """`values` less the value at `keys`, or less the nearest thing above that is there."""
    inner = values.get(keys[0])
    if len(keys) == 1 or not isinstance(inner, dict) or keys[1] not in inner:
        return {key: value for key, value in values.items() if key != keys[0]}
    return {**values, keys[0]: _without(inner, keys[1:])}
