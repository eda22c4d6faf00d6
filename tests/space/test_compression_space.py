"""The genes of compression, which are joined to whatever is trained."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from evonas.compression import STEPS
from evonas.compression.compress import faults
from evonas.settings import STEP_SETTINGS, CompressionSettings
from evonas.space import SearchSpace, load_part, load_space
from evonas.space.check import check_space
from evonas.space.training_section import check_recipe


@pytest.fixture(scope="module")
def part() -> SearchSpace:
    return load_part("compression")


def sections(space: SearchSpace, count: int) -> list[Mapping[str, Mapping[str, Any]]]:
    rng = np.random.default_rng(1)
    return [space.decode(space.sample(rng)).compression for _ in range(count)]


@pytest.mark.parametrize("name", ["mobile_cells", "detector+detection_heuristics", "nasnet_cells"])
def test_it_joins_spaces_of_networks(name: str, part: SearchSpace) -> None:
    joined = load_space(f"{name}+compression")
    check_space(joined)
    check_recipe(joined)
    assert not part.has_network
    assert len(joined.genes) == len(load_space(name).genes) + len(part.genes)


def test_every_design_asks_for_what_is_there(part: SearchSpace) -> None:
    assert {*part.template["compression"]} <= {*STEPS}
    for section in sections(part, 200):
        assert faults(CompressionSettings.model_validate(section)) == [], section


@pytest.mark.parametrize("name", load_part("compression").template["compression"])
def test_every_step_is_left_out_of_some_designs_and_tuned_in_the_others(
    name: str, part: SearchSpace
) -> None:
    genes = {gene.key_path[-1] for gene in part.genes if gene.key_path[1] == name}
    found = [section[name] for section in sections(part, 200)]
    methods = {own["method"] for own in found}
    assert methods > {"none"}
    for own in found:
        taken = STEP_SETTINGS[name].takes.get(own["method"], ())
        assert own.keys() - {"method"} <= {*taken}
        assert genes & {*taken} - {*STEP_SETTINGS[name].only_with} <= own.keys()


def test_all_that_is_none_is_one_design(part: SearchSpace) -> None:
    first = [gene.default_number for gene in part.genes]
    last = [float(gene.key_path[-1] != "method") for gene in part.genes]
    assert part.canonical(first) == part.canonical(last)
