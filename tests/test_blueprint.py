import json
from dataclasses import FrozenInstanceError, replace

import pytest

from evonas.blueprint import SCHEMA_VERSION, Blueprint
from evonas.key import key_of

DESIGN = Blueprint(
    network={
        "builder": "nas_bench_macro",
        "activation": "relu",
        **{f"layer{index}": "mb_k3_e3" for index in range(8)},
    },
    training={"lr0": 0.1},
    compression={"bits": 8},
    repairs=("layer0: none",),
)


def test_a_blueprint_survives_json() -> None:
    values = json.loads(json.dumps(DESIGN.to_dict()))
    assert Blueprint.from_dict(values) == DESIGN
    assert Blueprint.from_dict(values).fingerprint == DESIGN.fingerprint
    assert values["schema_version"] == SCHEMA_VERSION


@pytest.mark.parametrize("version", [None, 0, SCHEMA_VERSION + 1, str(SCHEMA_VERSION)])
def test_another_version_of_the_format_is_refused(version: object) -> None:
    with pytest.raises(ValueError, match=f"schema_version is {version!r}, this evonas reads 1"):
        Blueprint.from_dict({**DESIGN.to_dict(), "schema_version": version})


@pytest.mark.parametrize(
    "change",
    [
        {"network": {**DESIGN.network, "layer7": "identity"}},
        {"training": {"lr0": 0.2}},
        {"compression": {}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_section_is_part_of_the_fingerprint(change: dict[str, object]) -> None:
    assert replace(DESIGN, **change).fingerprint != DESIGN.fingerprint  # type: ignore[arg-type]


def test_repairs_are_no_part_of_the_fingerprint() -> None:
    assert replace(DESIGN, repairs=()).fingerprint == DESIGN.fingerprint


def test_a_value_in_another_section_is_another_design() -> None:
    moved = Blueprint(DESIGN.network, training=DESIGN.compression, compression=DESIGN.training)
    assert moved.fingerprint != DESIGN.fingerprint


def test_the_fingerprint_of_a_design_never_changes() -> None:
    assert DESIGN.fingerprint == "82cf11f2dfc080c8"


def test_a_blueprint_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        DESIGN.training = {}  # type: ignore[misc]


def test_keys_do_not_depend_on_the_order_of_mappings_but_on_that_of_lists() -> None:
    assert key_of({"a": 1, "b": [1, 2]}) == key_of({"b": [1, 2], "a": 1})
    assert key_of([1, 2]) != key_of([2, 1])
    assert len(key_of(None)) == 16


def test_what_json_cannot_say_has_no_key() -> None:
    with pytest.raises(ValueError, match="float values"):
        key_of([float("nan")])
