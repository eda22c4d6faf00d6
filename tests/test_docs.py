"""What the documents say of networks is so."""

import re
from collections.abc import Iterator
from typing import get_args, get_origin

import pytest
import yaml
from conftest import REPOSITORY

from evonas import yaml_file
from evonas.blueprint import Blueprint, plan_network
from evonas.models import build, count
from evonas.networks import Scale, tidied
from evonas.networks.chain.layer_words import DEFAULTS
from evonas.networks.scale import LARGEST
from evonas.networks.stages.blocks import BLOCKS
from evonas.networks.value_rules import LARGEST_MULTIPLE, MOST_CHANNELS, MOST_LAYERS, MOST_PIXELS
from evonas.presets import presets
from evonas.settings import STEP_SETTINGS, EvolverSettings, Group, Settings, TrainingSettings
from evonas.settings.compression import DistillationSettings
from evonas.space import document, known_spaces
from evonas.space.gene import LARGEST_INT, LISTED

NETWORKS = (REPOSITORY / "docs" / "networks.md").read_text()
CHECKLIST = (REPOSITORY / "docs" / "checklist.md").read_text()
COMPRESSION = (REPOSITORY / "docs" / "compression.md").read_text()
METHODS = [
    f"{name}.method={method}"
    for name in ("pruning", "quantisation")
    for method in STEP_SETTINGS[name].takes
]
EXAMPLES = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", NETWORKS, re.DOTALL)]


@pytest.mark.parametrize("section", EXAMPLES, ids=lambda each: each["network"]["builder"])
def test_examples_can_be_built(section: dict[str, dict[str, object]]) -> None:
    tidy, _ = tidied(section["network"])
    blueprint, scale = Blueprint(tidy), Scale("example", resolution_px=64)
    network = build(blueprint, scale, seed=0)
    counted = count(plan_network(blueprint, scale))
    assert counted.parameters == sum(tensor.numel() for tensor in network.parameters())


def test_each_operation_is_listed_with_its_keys() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| (.+) \|$", NETWORKS, re.MULTILINE))
    for operation, block in BLOCKS.items():
        told = re.findall(r"`(\w+)`", rows[operation].replace("those,", rows["residual"]))
        assert set(told) == set(block.keys), operation


def test_each_word_of_a_chain_is_listed() -> None:
    assert set(re.findall(r"`(\w+)`", NETWORKS)) >= DEFAULTS.keys()


@pytest.mark.parametrize("method", METHODS)
def test_each_method_of_compression_is_listed(method: str) -> None:
    assert f"| `{method}` |" in COMPRESSION


def test_the_checklist_names_what_is_there() -> None:
    families = {re.match(r"[a-z]+", name).group() for name in presets()}  # type: ignore[union-attr]
    of_other_groups = {"amoebanet", "darts", "fbnet", "pnasnet", "proxylessnas", "spnasnet"}
    for family in families - of_other_groups:
        assert f"`{family}" in CHECKLIST, family
    for name in ("mobile_cells", "residual_stages", "dense_stages", "conv_zoo"):
        assert name in known_spaces()
        assert f"`{name}`" in CHECKLIST
    for path in re.findall(r"`((?:evonas|tests|experiments)/[\w/.]+)`", CHECKLIST):
        assert (REPOSITORY / path).exists(), path


def test_the_checklist_has_a_row_for_each_number() -> None:
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \|", CHECKLIST, re.MULTILINE)]
    assert numbers == [*range(1, 191)]
    assert all(re.findall(r"^\| \d+ \| [^|]+ \| [^|]+ \|$", CHECKLIST, re.MULTILINE))


def _settings(group: type[Group], prefix: str = "") -> Iterator[str]:
    for name, field in group.model_fields.items():
        yield f"{prefix}{name}"
        kind = field.annotation
        if isinstance(kind, type) and get_origin(kind) is None and issubclass(kind, Group):
            yield from _settings(kind, f"{prefix}{name}.")


def test_each_setting_that_the_checklist_names_exists() -> None:
    known = set(_settings(Settings))
    groups = {name.split(".")[0] for name in known if "." in name}
    named = set(re.findall(r"`([a-z_]+(?:\.[a-z0-9_]+)+)[`=]", CHECKLIST))
    settings = {name for name in named if name.split(".")[0] in groups}
    assert len(settings) > 60
    assert settings <= known, settings - known


@pytest.mark.parametrize(
    ("number", "group", "name"),
    [
        (89, EvolverSettings, "selection"),
        (90, EvolverSettings, "crossover"),
        (91, EvolverSettings, "mutation"),
        (103, TrainingSettings, "schedule"),
        (128, TrainingSettings, "initialisation"),
        (138, TrainingSettings, "optimizer"),
        (170, TrainingSettings, "assigner"),
        (176, TrainingSettings, "box_loss"),
        (177, TrainingSettings, "nms"),
        (189, DistillationSettings, "method"),
    ],
)
def test_the_checklist_names_all_choices_and_no_other(
    number: int, group: type[Group], name: str
) -> None:
    row = re.search(rf"^\| {number} \|.*$", CHECKLIST, re.MULTILINE)
    assert row is not None
    told = re.search(rf"`[\w.]+\.{name}`: ([^;.]*)", row.group())
    assert told is not None
    literals = [group.model_fields[name].annotation]
    while literals and not all(isinstance(value, str) for value in literals):
        literals = [v for kind in literals for v in get_args(kind) if v is not type(None)]
    assert set(re.findall(r"`(\w+)`", told.group(1))) == set(literals)


def test_the_page_on_spaces_tells_the_ends_that_are_held() -> None:
    page = (REPOSITORY / "docs" / "spaces.md").read_text(encoding="utf-8")
    numbers = (yaml_file.MOST_VALUES, document.MOST_VALUES, MOST_CHANNELS, MOST_LAYERS, LISTED)
    for number in (*numbers, LARGEST["filters"]):
        assert f"{number:,}" in page
    for number in (LARGEST_INT, MOST_PIXELS, LARGEST_MULTIPLE, LARGEST["resolution_px"]):
        assert str(number) in page
