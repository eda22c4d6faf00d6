import itertools
import math
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import FIXED
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.blueprint import Blueprint
from evonas.space import Scale, SearchSpace, load_space
from evonas.space.gene import Choice, Float, Gene, Int, Log, When
from evonas.space.load import load_space_file

NETWORK = yaml.safe_load(FIXED)["network"]
SCALES = {"proxy": Scale("proxy", 8), "full": Scale("full", 16)}


def space_of(genes: list[Gene]) -> SearchSpace:
    """A space with all its genes in the training section."""
    template = {
        "network": NETWORK,
        "training": {gene.key_path[-1]: "open" for gene in genes},
        "compression": {},
    }
    return SearchSpace("tiny", "Tiny", "", template, tuple(genes), SCALES, str)


def place(name: str, when: When = ()) -> dict[str, Any]:
    return {"name": f"training.{name}", "key_path": ("training", name), "when": when}


def mixed_space() -> SearchSpace:
    """Every kind of gene, and a chain of two conditions."""
    return space_of(
        [
            Choice(**place("optimizer"), alleles=("sgd", "adam")),
            Int(**place("warmup", (("training.optimizer", ("sgd",)),)), low=0, high=3),
            Float(**place("momentum", (("training.warmup", (1, 2)),)), low=0.5, high=0.99),
            Log(**place("lr0"), low=1e-4, high=1.0),
        ]
    )


NANO = load_space("nano")
property_test = settings(deadline=None, derandomize=True, max_examples=60)


@st.composite
def conditional_genes(draw: st.DrawFn) -> list[Gene]:
    """Up to five finite genes, each active for some alleles of some earlier ones."""
    genes: list[Choice] = []
    for index in range(draw(st.integers(1, 5))):
        when = []
        for other in genes:
            if draw(st.integers(0, 2)) == 0:
                wanted = draw(st.sets(st.sampled_from(other.alleles), min_size=1))
                when.append((other.name, tuple(sorted(wanted))))
        alleles = tuple(range(draw(st.integers(1, 3))))
        genes.append(Choice(**place(f"g{index}", tuple(when)), alleles=alleles))
    return list(genes)


@property_test
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=4, max_size=4))
def test_every_chromosome_of_finite_numbers_is_a_design(chromosome: list[float]) -> None:
    space = mixed_space()
    blueprint = space.decode(chromosome)
    canonical = space.encode(blueprint)
    again = space.decode(canonical)
    assert {**again.to_dict(), "repairs": []} == {**blueprint.to_dict(), "repairs": []}
    assert again.fingerprint == blueprint.fingerprint
    assert again.repairs == ()
    assert space.encode(again) == canonical


@property_test
@given(conditional_genes())
def test_size_counts_the_combinations_of_active_genes(genes: list[Gene]) -> None:
    space = space_of(genes)
    chromosomes = itertools.product(*(gene.pygad_space() for gene in genes))
    assert space.size == len({space.decode(chromosome).fingerprint for chromosome in chromosomes})


@property_test
@given(conditional_genes(), st.randoms(use_true_random=False))
def test_equal_designs_have_one_canonical_chromosome(genes: list[Gene], random: Any) -> None:
    space = space_of(genes)
    chromosomes = [tuple(random.randint(0, 2) for _ in genes) for _ in range(20)]
    designs = {space.decode(c).fingerprint for c in chromosomes}
    assert len({space.canonical(c) for c in chromosomes}) == len(designs)


def test_inactive_genes_vanish_and_with_them_those_that_wait_for_them() -> None:
    space = mixed_space()
    assert set(space.decode([0, 3, 0.9, 0]).training) == {"optimizer", "warmup", "lr0"}
    found = space.decode([0, 1, 0.9, -1]).training
    assert found == {"optimizer": "sgd", "warmup": 1, "momentum": 0.9, "lr0": 0.1}
    assert space.alleles([1, 1, 0.9, 0]) == {"training.optimizer": "adam", "training.lr0": 1.0}
    assert set(space.decode([1, 1, 0.9, 0]).training) == {"optimizer", "lr0"}


def test_inactive_genes_change_neither_fingerprint_nor_canonical_chromosome() -> None:
    space = mixed_space()
    one, other = [1, 0, 0.6, -2], [1, 3, 0.9, -2]
    assert space.decode(one).fingerprint == space.decode(other).fingerprint
    assert space.canonical(one) == space.canonical(other) == (1, 0, 0.5, -2)


def test_decoding_leaves_the_template_alone() -> None:
    space = mixed_space()
    before = space.fingerprint, str(space.template)
    space.decode([0.0] * len(space.genes))
    assert (space.fingerprint, str(space.template)) == before


def test_a_gene_of_real_numbers_makes_a_space_infinite() -> None:
    assert mixed_space().size == math.inf


def test_the_fingerprint_of_a_space_follows_its_meaning() -> None:
    genes = list(mixed_space().genes)
    wider = [*genes[:3], Log(**place("lr0"), low=1e-5, high=1.0)]
    unconditional = [*genes[:2], Float(**place("momentum"), low=0.5, high=0.99), genes[3]]
    prints = {space_of(g).fingerprint for g in (genes, wider, unconditional)}
    assert len(prints) == 3
    assert space_of(genes).fingerprint == mixed_space().fingerprint


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("stages", 0, "kernel"), 7, "^network.stages.0.kernel: 7 is not one of 3, 5$"),
        (("stem", "channels"), 24, "stem"),
        (("head", "channels"), 24, "head"),
    ],
)
def test_a_value_that_the_space_lacks_is_named_with_its_place(
    path: tuple[str | int, ...], value: int, told: str
) -> None:
    values = NANO.decode([0.0] * len(NANO.genes)).to_dict()
    *outer, last = path
    reduce(getitem, outer, values["network"])[last] = value
    with pytest.raises(ValueError, match=told):
        NANO.encode(Blueprint.from_dict(values))


# Genes whose first allele is not what a network means that says nothing.
DEFAULTS_LAST = """\
title: Defaults last
scales:
  proxy: {resolution_px: 8}
  full: {resolution_px: 16}
network:
  builder: stages
  activation: {choice: [relu, relu6]}
  norm: {choice: [group, batch]}
  initialisation: {choice: [xavier, auto]}
  drop_path: {choice: [0.2, 0]}
  attention: {base: input, activation: relu, gate: {choice: [hard_sigmoid, sigmoid]}, round8: false}
  stem: {channels: 8, kernel: 3, stride: 1}
  stages:
    - operation: depthwise_separable
      linear: {choice: [false, true]}
      activation: {choice: [relu6, relu]}
      kernel: 3
      se_ratio: {choice: [0.25, 0]}
      skip: {choice: [identity, none]}
      channels: {choice: [16, 8]}
      layers: 1
      stride: 1
  head: {channels: 16, hidden: {choice: [8, 0]}, fixed: {choice: [true, false]}}
"""
MASKED = """\
title: A mask of what goes out
scales:
  proxy: {resolution_px: 8, filters: 4, repeats: 1}
  full: {resolution_px: 16, filters: 4, repeats: 1}
network:
  builder: cells
  assembly: nasnet
  activation: relu
  normal: &cell
    blocks:
      - left: {operation: conv_1x1, state: 0}
        right: {operation: conv_3x3, state: 1}
        combine: add
      - left: {operation: conv_1x1, state: {choice: [1, 2]}}
        right: {operation: conv_3x3, state: 1}
        combine: add
    output: OUTPUT
    mask: {state_0: &out ALLELES, state_1: *out, state_2: *out, state_3: *out}
  reduction: *cell
"""
OUTPUTS = ("mask", "{choice: [mask, unused]}", "{choice: [unused, mask]}")
TRUTHS = ("{choice: [false, true]}", "{choice: [true, false]}")


def assert_every_design_keeps_its_function(space: SearchSpace) -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        chromosome = space.sample(rng)
        design = space.decode(chromosome)
        again = space.decode(space.encode(design))
        assert again.fingerprint == design.fingerprint
        assert again.network == design.network
        assert space.canonical(space.canonical(chromosome)) == space.canonical(chromosome)


def test_what_a_network_means_anyway_may_be_the_last_allele(tmp_path: Path) -> None:
    file = tmp_path / "defaults.yaml"
    file.write_text(DEFAULTS_LAST)
    space = load_space_file(file)
    assert_every_design_keeps_its_function(space)
    chosen_last = space.decode([gene.pygad_space()[-1] for gene in space.genes])  # type: ignore[index]
    plain = {k: v for k, v in chosen_last.network.items() if k in NETWORK}
    said = {"norm", "initialisation", "drop_path", "attention"}
    assert set(chosen_last.network) - set(plain) == said
    plain["head"] = {"channels": 16}
    silent = Blueprint(plain)
    assert silent.fingerprint == chosen_last.fingerprint
    assert space.decode(space.encode(silent)).network == chosen_last.network


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("truths", TRUTHS)
def test_what_a_mask_lets_out_does_not_depend_on_the_order_of_alleles(
    output: str, truths: str, tmp_path: Path
) -> None:
    file = tmp_path / "masked.yaml"
    file.write_text(MASKED.replace("OUTPUT", output).replace("ALLELES", truths))
    assert_every_design_keeps_its_function(load_space_file(file))


def test_a_published_network_need_not_be_written_as_the_space_writes_it() -> None:
    design = NANO.decode(NANO.sample(np.random.default_rng(1)))
    said = {**design.network, "norm": "batch", "drop_path": 0.0}
    said["stages"] = [{**s, "activation": said["activation"]} for s in said["stages"]]
    again = NANO.decode(NANO.encode(Blueprint(said)))
    assert again.network == design.network
    with pytest.raises(ValueError, match=r"^network.norm: the space has nothing, the blueprint gr"):
        NANO.encode(Blueprint({**design.network, "norm": "group"}))
