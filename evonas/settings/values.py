"""What settings are made of: numbers within limits, lists of names, paths, groups of them."""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Share = Annotated[float, Field(gt=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
NotPositive = Annotated[float, Field(le=0)]


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


Names = Annotated[tuple[str, ...], BeforeValidator(split_commas)]


def _absolute(value: Any) -> Any:
    return os.path.abspath(os.path.expanduser(value)) if isinstance(value, str) else value


# Data stay where they are when a run is resumed, or a model retrained, from another folder.
DataPath = Annotated[Path, BeforeValidator(_absolute)]
FilePath = Annotated[Path, BeforeValidator(_expand_home)]


class Group(BaseModel):
    """Settings that share a prefix."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Limits(Group):
    """Smallest and largest value allowed for a measure."""

    min: float | None = None
    max: float | None = None
