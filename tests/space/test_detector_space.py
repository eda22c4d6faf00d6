"""The shipped space of detectors: every allele of every gene can be built, at both scales."""

from dataclasses import replace

import numpy as np
import pytest

from evonas.blueprint import plan_network
from evonas.models import count
from evonas.networks import GRAMMARS
from evonas.networks.plan import Plan
from evonas.space import load_space
from evonas.space.gene import Gene

SPACE = load_space("detector")
DEEP = ("layers", "depth")


def planned(chromosome: list[float], scale: str) -> Plan:
    design = SPACE.decode(chromosome)
    return plan_network(design, replace(SPACE.scales[scale], classes=3))


@pytest.mark.parametrize("gene", SPACE.genes, ids=lambda gene: gene.name)
def test_every_allele_is_built_at_both_scales(gene: Gene) -> None:
    """The gene's own condition is met first; stages and necks are as deep as they may be."""
    numbers = [
        float(max(each.pygad_space())) if each.key_path[-1] in DEEP else each.default_number
        for each in SPACE.genes
    ]
    places = {each.name: place for place, each in enumerate(SPACE.genes)}
    for other, wanted in gene.when:
        numbers[places[other]] = SPACE.genes[places[other]].number(wanted[0])
    prints = set()
    for number in gene.pygad_space():
        numbers[places[gene.name]] = float(number)
        prints.add(SPACE.decode(numbers).fingerprint)
        for scale in SPACE.scales:
            plan = planned(numbers, scale)
            assert count(plan.as_deployed()).parameters > 0
            assert plan.deployed == ("boxes", "scores")
    assert len(prints) == len(list(gene.pygad_space()))


def test_a_design_deploys_some_ten_thousand_to_three_million_parameters() -> None:
    rng = np.random.default_rng(0)
    plans = [planned(list(SPACE.sample(rng)), "full").as_deployed() for _ in range(60)]
    sizes = [count(plan).parameters for plan in plans]
    assert 40_000 < min(sizes) < 200_000
    assert 600_000 < max(sizes) < 3_000_000


def test_what_one_loss_alone_reads_is_chosen_beside_its_head() -> None:
    rng = np.random.default_rng(0)
    for design in (SPACE.decode(SPACE.sample(rng)) for _ in range(40)):
        kind = design.network["head"]["kind"]
        assert ("obj" in design.training) == (kind == "yolov3")
        assert ("object_scale" in design.training) == (kind == "yolov2")
        assert ("location" in design.training) == (kind == "ssd")
        assert not design.training or kind != "anchor_free"


def test_detectors_are_for_detection_and_begin_with_one_branch() -> None:
    design = SPACE.decode([gene.default_number for gene in SPACE.genes])
    assert GRAMMARS[design.network["builder"]].task == "detection"
    assert design.network["head"]["kind"] == "anchor_free"
    assert design.network["head"]["one_to_one"] is False
    assert design.training == {}
    assert design.network["norm_eps"] == 0.001
