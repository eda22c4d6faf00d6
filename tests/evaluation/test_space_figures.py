"""What is said of a search space: its genes, its size, and figures of a random sample."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import SPACE, changed

from evonas.blueprint import plan_network
from evonas.errors import SettingsError
from evonas.evaluation.space_figures import space_summary, spaces_summary
from evonas.models import count
from evonas.reports.console import PlainConsole
from evonas.reports.spaces import print_space, print_spaces
from evonas.space import load_space

INFINITE = changed(
    f"title: Words in [brackets] stay\n{SPACE}training: {{lr0: {{log: [0.001, 1]}}}}\n",
    ("{choice: [3, 6]", "{float: [1, 6]"),
    ("channels: 16", "channels: {int: [8, 100]}"),
    ("stride: 1", "stride: {choice: [1, 16]}"),
)


@pytest.fixture
def infinite(working_folder: Path) -> str:
    Path("mine.yaml").write_text(INFINITE)
    return "./mine.yaml"


def shown(print_it: Any, values: Any, width: int = 160) -> str:
    text = io.StringIO()
    print_it(values, PlainConsole(file=text, width=width))
    return text.getvalue()


def test_genes_are_told_with_kind_range_and_condition() -> None:
    genes = {gene["name"]: gene for gene in space_summary("nano", [], designs=1)["genes"]}
    assert genes["network.stages.1.expansion"] == {
        "name": "network.stages.1.expansion",
        "kind": "choice",
        "alleles": [3, 6],
        "when": {"network.stages.1.operation": ["inverted_residual"]},
    }
    layers = {"name": "network.stages.0.layers", "kind": "int", "low": 1, "high": 2, "when": None}
    assert genes["network.stages.0.layers"] == layers


def test_a_gene_of_real_numbers_makes_a_space_infinite(infinite: str) -> None:
    summary = space_summary(infinite, [], designs=3)
    assert summary["size"] is None
    assert {gene["kind"] for gene in summary["genes"]} == {"choice", "int", "float", "log"}
    line = spaces_summary(load_space(infinite))
    assert line == {"name": "mine", "title": summary["title"], "genes": 7, "size": None}
    assert "infinitely many" in shown(print_spaces, [line])
    json.dumps(summary, allow_nan=False)


def test_a_space_with_designs_that_cannot_be_built_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"full\.resolution_px=16: A total stride of 32 leaves"):
        space_summary("mobile_cells", ["full.resolution_px=16"], designs=3)


def test_counts_are_those_of_the_scale_that_is_measured() -> None:
    full = space_summary("nano", [], designs=6)
    wide = space_summary("nano", ["full.width=2", "full.resolution_px=64"], designs=6)
    proxy = space_summary("nano", ["measure.scale=proxy"], designs=6)
    assert wide["scales"]["full"]["width"] == 2
    assert wide["sample"]["macs"]["median"] > 4 * full["sample"]["macs"]["median"]
    assert proxy["sample"]["scale"] == "proxy"
    for measure in ("parameters", "macs"):
        found = proxy["sample"][measure]
        assert found["min"] <= found["median"] <= found["max"]
        assert found["max"] < full["sample"][measure]["max"]


def test_designs_are_canonical_and_counted_one_by_one() -> None:
    space = load_space("nano")
    for design in space_summary("nano", [], listed=3, designs=1)["designs"]:
        genes = design["genes"]
        numbers = [
            gene.number(genes[gene.name]) if gene.name in genes else gene.default_number
            for gene in space.genes
        ]
        assert space.canonical(numbers) == tuple(numbers)
        blueprint = space.decode(numbers)
        counted = count(plan_network(blueprint, space.scales["full"]))
        assert design["fingerprint"] == blueprint.fingerprint
        assert (design["parameters"], design["macs"]) == (counted.parameters, counted.macs)


def test_designs_follow_the_seed_and_figures_do_not() -> None:
    first, same, other = (
        space_summary("nano", words, listed=2, designs=4)
        for words in ([], ["run.seed=0"], ["run.seed=1"])
    )
    assert first == same
    assert first["sample"] == other["sample"]
    assert first["designs"] != other["designs"]


def test_a_space_is_named_before_its_settings() -> None:
    with pytest.raises(SettingsError, match=r"run\.seed=1: name a space first"):
        space_summary("run.seed=1", [])


def test_only_counted_measures_are_judged_and_all_mistakes_told_at_once() -> None:
    words = ["constraints.latency_ms.max=2", "constraints.parametres.max=3", "run.sed=1"]
    with pytest.raises(SettingsError) as caught:
        space_summary("nan", [*words, "space=nano"])
    told = str(caught.value)
    assert "latency_ms is known only from a search" in told
    assert "held against macs, parameters, peak_memory_mib, size_before_mib, size_mib" in told
    assert 'no measure called "parametres". Did you mean "parameters"?' in told
    assert 'no key "sed". Did you mean "seed"?' in told
    assert "space=nano: the space is named already, nan" in told
    assert 'no space called "nan". Did you mean "nano"?' in told


def test_every_counted_measure_may_be_limited() -> None:
    for word in ("size_mib.max=0.05", "macs.max=2000000", "parameters.min=20000"):
        sample = space_summary("nano", [f"constraints.{word}"], designs=20)["sample"]
        assert 0 < sample["feasible_share"] < 1, word


@pytest.mark.parametrize("width", [80, 160])
def test_nothing_is_cut_off(infinite: str, width: int) -> None:
    summary = space_summary(infinite, [], listed=1, designs=10)
    text = shown(print_space, summary, width)
    assert "…" not in text
    assert "Words in [brackets] stay" in text
    assert all(f"│ {gene['name']} " in text for gene in summary["genes"])
    assert "operation is inverted_residual" in text or width < 160
    assert "network.stages.0  operation=" in text


def test_what_is_joined_to_spaces_is_shown_by_its_name_too() -> None:
    summary = space_summary("image_heuristics", [], listed=1)
    assert (summary["scales"], summary["sample"]) == ({}, None)
    assert {gene["name"].partition(".")[0] for gene in summary["genes"]} == {"training"}
    assert "training.cutmix" in shown(print_space, summary, 160)
