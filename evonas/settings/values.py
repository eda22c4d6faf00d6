"""What settings are made of: numbers within limits, lists of names, paths, groups of them."""

import os
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

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(
                f"nothing is at least {self.min:g} (min) and at most {self.max:g} (max). "
                "Swap them, or leave one out"
            )
        return self
