"""The JSON documents of a model folder: parsed, and of the shape that a retraining relies on."""

import json
from pathlib import Path
from typing import Any

from pydantic import Field, FiniteFloat

from evonas.errors import ExportError
from evonas.exporters.file_names import BLUEPRINT, FACTS
from evonas.settings import Group, validate


class Size(Group):
    """A scale, as `Scale.to_dict` gives it."""

    name: str
    resolution_px: int
    width: float
    depth: float
    smallest_map_px: int
    input_channels: int
    classes: int
    filters: int
    repeats: tuple[int, ...]
    stem: str
    stem_channels: int
    far_input: bool


class Facts(Group):
    """search.json: measures of the search by name, the scale of each, and alleles by gene.

    `section` is the scaled network section that model.py is built from, `compressed` what steps of
    compression made of the trained network, as plain values of their settings; `size` is the scale
    of that section. Folders of earlier versions have none of them. `taught_by`: the trial, or the
    model folder, that it learnt from.
    `transferred_from`: the classes that the weights knew with which its training began.
    """

    measures: dict[str, FiniteFloat]
    scales: dict[str, str]
    genes: dict[str, Any]
    section: dict[str, Any] | None = None
    size: Size | None = None
    compressed: dict[str, dict[str, Any]] = Field(default_factory=dict)
    taught_by: int | str | None = None
    transferred_from: tuple[str, ...] = ()


class Design(Group):
    """blueprint.json, as `Blueprint.to_dict` gives it."""

    schema_version: int
    network: dict[str, Any]
    training: dict[str, Any]
    compression: dict[str, Any]
    repairs: tuple[str, ...]
    values: dict[str, Any] = Field(default_factory=dict)


DOCUMENTS: dict[str, type[Group]] = {FACTS: Facts, BLUEPRINT: Design}


def parsed_document(content: bytes, file: Path) -> dict[str, Any]:
    """A JSON object, read from `file`, with the keys that files of that name have.

    Raises:
        ExportError: It is no JSON object.
        SettingsError: A key is missing or not known, or its value cannot be.
    """
    values = parsed_json(content, file)
    if file.name in DOCUMENTS:
        validate(DOCUMENTS[file.name], values, str(file))
    return values


def parsed_json(content: bytes, file: Path) -> dict[str, Any]:
    """A JSON object, read from `file`.

    Raises:
        ExportError: It is none.
    """
    try:
        values = json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError) as problem:
        raise ExportError(f"{file} is damaged: it is no JSON ({problem}).") from None
    if not isinstance(values, dict):
        raise ExportError(f"{file} is damaged: it holds no JSON object.")
    return values


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")
