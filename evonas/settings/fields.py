"""What settings are made of: numbers within limits, lists of names, paths, groups of them."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Share = Annotated[float, Field(gt=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Positive = Annotated[float, Field(gt=0, le=1e12)]
NotNegative = Annotated[float, Field(ge=0, le=1e12)]
NotPositive = Annotated[float, Field(le=0, ge=-100)]
Seed = Annotated[int, Field(ge=0, lt=2**64)]
Seconds = Annotated[float, Field(gt=0, le=1e9)]  # 30 years: clocks end somewhere
Side = Annotated[int, Field(ge=1, le=8192)]  # of images, in pixels
Factor = Annotated[float, Field(gt=0, le=64)]  # of widths and depths
Few = Annotated[int, Field(ge=1, le=1000)]


def split_commas(value: Any) -> Any:
    """A word as the list that it writes; anything else as it is."""
    if not isinstance(value, str):
        return value
    return [item.strip() for item in value.split(",")] if value.strip() else []


def _expand_home(value: Any) -> Any:
    return os.path.expanduser(value) if isinstance(value, str) else value


def whole_number(value: Any) -> Any:
    """A word of digits as a number; anything else as it is."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


class FileWord(str):
    """A word of a settings file in `folder`, from which relative paths in the word start."""

    folder: Path

    def __new__(cls, word: str, folder: Path) -> Self:
        """The word, with its folder."""
        made = super().__new__(cls, word)
        made.folder = folder
        return made


def in_folder(value: Any, folder: Path) -> Any:
    """The values of a settings file, where each word knows the file's folder."""
    if isinstance(value, dict):
        return {key: in_folder(inner, folder) for key, inner in value.items()}
    return FileWord(value, folder) if isinstance(value, str) else value


def _absolute(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return os.path.abspath(_start(value) / os.path.expanduser(value))


def _absolute_parts(value: Any) -> Any:
    """Spaces that are joined, those that are named by a path by an absolute one."""
    if not isinstance(value, str) or "+".join(parts := SPACE_PART.findall(value)) != value:
        return value
    start = _start(value)
    return "+".join(
        os.path.abspath(start / os.path.expanduser(part)) if is_space_path(part) else part
        for part in parts
    )


def _absolute_items(value: Any) -> Any:
    """A list of names, those that are paths absolute."""
    start = _start(value) if isinstance(value, str) else Path()
    items = split_commas(value)
    if not isinstance(items, list | tuple):
        return items
    return [
        os.path.abspath(start / os.path.expanduser(item))
        if isinstance(item, str) and "/" in item and ":" not in item
        else item
        for item in items
    ]


def _start(value: str) -> Path:
    return value.folder if isinstance(value, FileWord) else Path()


def is_space_path(part: str) -> bool:
    """True if the word for a space is a path, not a name."""
    return "/" in part or part.endswith(".yaml")


# A path runs to its `.yaml`, so that it may lead through a folder called c++.
SPACE_PART = re.compile(r"[^+]*/.*?\.yaml(?=\+|$)|[^+]+")

Names = Annotated[tuple[str, ...], BeforeValidator(split_commas)]

# Names of networks and runs, and folders.
DesignNames = Annotated[tuple[str, ...], BeforeValidator(_absolute_items)]

# What is read stays where it is when a run is resumed, or a model retrained, from another folder.
DataPath = Annotated[Path, BeforeValidator(_absolute)]
SpaceWord = Annotated[str, BeforeValidator(_absolute_parts)]
# What is written lies where the user works, wherever the settings come from.
OutputPath = Annotated[Path, BeforeValidator(_expand_home)]


class Group(BaseModel):
    """Settings that share a prefix."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Limits(Group):
    """Smallest and largest value allowed for a measure."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(
                f"nothing is at least {self.min:g} (min) and at most {self.max:g} (max). "
                "Swap them, or leave one out"
            )
        return self
