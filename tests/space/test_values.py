"""Spaces of free values: no builder, no scales, any keys."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY, typed

from evonas.blueprint import Blueprint
from evonas.driver import resume, search
from evonas.errors import SpaceError
from evonas.space import load_space

TABLE = """\
values:
  rate: {log: [0.001, 1]}
  layers:
    - units: {choice: [16, 32]}
      repeat: 2
  optimiser: {choice: [sgd, adam]}
  momentum: {float: [0, 1], when: {optimiser: sgd}}
"""
NETWORK = (REPOSITORY / "search_spaces" / "nano.yaml").read_text()


@pytest.fixture(autouse=True)
def file(working_folder: Path) -> Path:
    path = working_folder / "mine.yaml"
    path.write_text(TABLE)
    return path


def test_genes_have_their_places_and_designs_come_back() -> None:
    space = load_space("./mine.yaml")
    assert [gene.name for gene in space.genes] == [
        "values.rate",
        "values.layers.0.units",
        "values.layers.1.units",
        "values.optimiser",
        "values.momentum",
    ]
    assert (space.has_network, dict(space.scales)) == (False, {})
    for seed in range(20):
        blueprint = space.decode(space.sample(np.random.default_rng(seed)))
        assert blueprint.network == {}
        assert ("momentum" in blueprint.values) == (blueprint.values["optimiser"] == "sgd")
        again = Blueprint.from_dict(json.loads(json.dumps(blueprint.to_dict())))
        assert again == blueprint
        assert space.decode(space.encode(blueprint)) == blueprint


def test_the_fingerprint_is_of_the_values_too() -> None:
    one, other = Blueprint({}, values={"x": 1}), Blueprint({}, values={"x": 2})
    assert one.fingerprint != other.fingerprint != Blueprint({}).fingerprint
    assert "values" not in Blueprint({}).to_dict()


def test_values_join_a_network_and_others_of_their_kind(working_folder: Path) -> None:
    (working_folder / "more.yaml").write_text("values:\n  size: {int: [1, 3]}\n")
    space = load_space("nano+./mine.yaml+./more.yaml")
    assert space.has_network
    assert list(space.template["values"]) == ["rate", "layers", "optimiser", "momentum", "size"]
    assert set(load_space("./mine.yaml+./more.yaml").template["values"]) == set(
        space.template["values"]
    )
    (working_folder / "more.yaml").write_text("values:\n  rate: 3\n")
    with pytest.raises(SpaceError, match=r"values.rate stands in mine.yaml \(line 2\) and in"):
        load_space("./mine.yaml+./more.yaml")


@pytest.mark.parametrize("section", ["network", "values"])
def test_an_empty_section_is_told(file: Path, section: str) -> None:
    file.write_text(
        f"scales: {{proxy: {{resolution_px: 8}}, full: {{resolution_px: 8}}}}\n{section}:"
    )
    with pytest.raises(
        SpaceError, match=rf"mine.yaml, {section} \(line 2\): this section is empty"
    ):
        load_space("./mine.yaml")


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("on", "on means one thing to YAML 1.1 and another to YAML 1.2"),
        ("no", "no means one thing to YAML 1.1 and another to YAML 1.2"),
        ("3", "this key is no word, it is read as 3. Put it in quotes"),
        ("true", "this key is no word, it is read as True. Put it in quotes"),
    ],
)
def test_keys_are_words(file: Path, key: str, problem: str) -> None:
    file.write_text(f"values:\n  deep:\n    {key}: {{int: [1, 2]}}\n")
    with pytest.raises(SpaceError, match=rf"mine.yaml, values.deep.\w+ \(line 3\): {problem}"):
        load_space("./mine.yaml")
    file.write_text(f"values:\n  deep:\n    '{key}': {{int: [1, 2]}}\n")
    assert [gene.name for gene in load_space("./mine.yaml").genes] == [f"values.deep.{key}"]


@pytest.mark.parametrize("space", ["./mine.yaml", "nano+./mine.yaml"])
def test_a_training_does_nothing_with_values(space: str, working_folder: Path) -> None:
    result = typed("search", f"space={space}")
    assert result.returncode == 2
    assert "mine.yaml, values (line 1): a training does nothing with values" in result.stderr
    assert not (working_folder / "runs").exists()


def test_the_space_is_shown_without_counts() -> None:
    found = json.loads(typed("spaces", "./mine.yaml", "--sample", "1", "--json").stdout)
    assert (found["scales"], found["sample"], found["size"]) == ({}, None, None)
    assert found["designs"][0]["parameters"] is None
    shown = typed("spaces", "./mine.yaml", "--sample", "1")
    assert "values.optimiser" in shown.stdout
    assert "drawn at random" not in shown.stdout
    assert "cannot be built" not in shown.stdout
    refused = typed("spaces", "./mine.yaml", "constraints.parameters.max=3")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "constraints.parameters: mine has values and no networks to count" in refused.stderr


def test_a_run_keeps_its_space_and_goes_on(file: Path) -> None:
    def rate(blueprint: Blueprint) -> float:
        return float(blueprint.values["rate"])

    words = {"space": "./mine.yaml", "objectives": ["rate:max"], "executor": "inline"}
    run = search({**words, "budget": {"evaluations": 5}, "display": "none"}, rate)
    file.unlink()
    longer = resume(run.folder, ["budget.evaluations=+3"], rate)
    assert longer.records.evaluations == 8
    assert typed("inspect", run.name).returncode == 0
    assert typed("export", run.name, "--to", "model").returncode == 2
