"""What the documents say of networks is so."""

import re

import pytest
import yaml
from conftest import REPOSITORY

from evonas.blueprint import Blueprint
from evonas.models import build, count, plan_network
from evonas.models.blocks import BLOCK_KEYS
from evonas.models.presets import presets
from evonas.networks import Scale, tidied
from evonas.networks.chain_layers import DEFAULTS
from evonas.space import known_spaces

NETWORKS = (REPOSITORY / "docs" / "networks.md").read_text()
CHECKLIST = (REPOSITORY / "docs" / "checklist.md").read_text()
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
    for operation, keys in BLOCK_KEYS.items():
        told = re.findall(r"`(\w+)`", rows[operation].replace("those,", rows["residual"]))
        assert set(told) == set(keys), operation


def test_each_word_of_a_chain_is_listed() -> None:
    assert set(re.findall(r"`(\w+)`", NETWORKS)) >= DEFAULTS.keys()


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
