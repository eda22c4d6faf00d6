"""Published networks as the first designs of a search: `evolver.start`."""

import json
import re
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY, problems_of, typed
from small_model import made
from test_loop import toy

from evonas.blueprint import Blueprint
from evonas.driver import resume, search
from evonas.driver.start import start_of
from evonas.presets import preset
from evonas.runs import Run, load_run
from evonas.runs.ledger import Ledger
from evonas.settings import Words
from evonas.space import load_space
from evonas.trial import Chromosome

__all__ = ["made"]  # a fixture

NAMES = ("mobilenet_v2", "mnasnet_b1", "mnasnet_a1")
PRINTS = [preset(name).blueprint.fingerprint for name in NAMES]

WORDS: dict[str, Any] = {
    "space": "mobile_cells",
    "objectives": ["score:max", "cost:min"],
    "executor": {"name": "inline"},
    "display": "none",
    "evolver": {"start": list(NAMES), "population": 4},
}

RECIPE = """\
title: A recipe
training:
  lr0: {log: [0.01, 0.5]}
  momentum: {choice: [0.9, 0.8]}
  epochs: {int: [1, 9]}
  schedule: {choice: [cosine, one_cycle]}
  weight_decay: {choice: [0.001, 0.01]}
  lrf: {float: [0.1, 0.6], when: {schedule: one_cycle}}
  fliplr: 0.5
"""


def told(run: Run) -> list[tuple[str, str]]:
    return [(trial.operator, trial.blueprint.fingerprint) for trial, _ in run.trials()]


def started(*words: str) -> tuple[Chromosome, ...]:
    settings = Words(list(words)).read()[0]
    return start_of(settings, load_space(settings.space)).designs


@pytest.mark.parametrize("schedule", ["async", "generational"])
@pytest.mark.parametrize("evolver", ["pygad", "random"])
def test_the_first_designs_of_a_search_are_those_named_in_order(
    schedule: str, evolver: str
) -> None:
    named = {"evolver": {**WORDS["evolver"], "name": evolver}}
    run = search({**WORDS, **named, "schedule": schedule, "budget": {"evaluations": 14}}, toy)
    assert told(run)[:3] == [("start", fingerprint) for fingerprint in PRINTS]
    later = told(run)[3:]
    assert "start" not in {operator for operator, _ in later}
    assert not set(PRINTS) & {fingerprint for _, fingerprint in later}


def test_later_designs_descend_from_those_of_the_start() -> None:
    run = search({**WORDS, "budget": {"evaluations": 30}}, toy)
    parents = {number for trial, _ in run.trials() for number in trial.parents}
    assert parents & {0, 1, 2}


@pytest.mark.parametrize("schedule", ["async", "generational"])
def test_a_start_that_was_interrupted_goes_on_where_it_was(schedule: str) -> None:
    words = {**WORDS, "schedule": schedule}
    whole = search({**words, "budget": {"evaluations": 12}, "run": {"name": "whole"}}, toy)
    search({**words, "budget": {"evaluations": 2}, "run": {"name": "parts"}}, toy)
    assert told(load_run("runs/parts")) == told(whole)[:2]
    resume(Path("runs/parts"), ["budget.evaluations=+10"], toy)
    assert told(load_run("runs/parts")) == told(whole)


def test_a_start_may_fill_more_than_a_population() -> None:
    names = ["darts_v2_cifar", "darts_v1_cifar", "darts_v2_imagenet"]
    chromosomes = started("space=darts_cells", f"evolver.start={','.join(names)}")
    assert len(chromosomes) == 2  # two of them are the same cells
    words = {**WORDS, "evolver": {"start": [*NAMES, *NAMES], "population": 4}}
    run = search({**words, "schedule": "generational", "budget": {"evaluations": 9}}, toy)
    assert [operator for operator, _ in told(run)][:4] == ["start"] * 3 + ["random"]


def test_the_designs_of_the_start_are_canonical() -> None:
    space = load_space("mobile_cells")
    chromosomes = started(f"evolver.start={','.join(NAMES)}")
    assert [space.canonical(chromosome) for chromosome in chromosomes] == list(chromosomes)
    assert [space.decode(chromosome).fingerprint for chromosome in chromosomes] == PRINTS


@pytest.fixture
def composed() -> str:
    Path("recipe.yaml").write_text(RECIPE)
    return "mobile_cells+./recipe.yaml"


def training_of(composed: str, *words: str) -> dict[str, Any]:
    (chromosome,) = started(f"space={composed}", "evolver.start=mnasnet_b1", *words)
    return dict(load_space(composed).decode(chromosome).training)


def test_training_genes_begin_with_the_settings_of_the_run(composed: str) -> None:
    words = ["training.lr0=0.05", "training.epochs=4", "training.schedule=cosine"]
    assert training_of(composed, *words) == {
        "lr0": pytest.approx(0.05),
        "momentum": 0.8,
        "epochs": 4,
        "schedule": "cosine",
        "weight_decay": 0.001,  # the run's is no allele, so it is the first
        "fliplr": 0.5,
    }
    usual = training_of(composed, "training.lrf=0.25")
    assert (usual["schedule"], usual["lrf"], usual["epochs"]) == ("one_cycle", 0.25, 5)


def test_a_setting_beyond_the_range_of_its_gene_is_its_lowest_allele(composed: str) -> None:
    assert training_of(composed, "training.epochs=20")["epochs"] == 1


def test_a_preset_with_training_genes_is_found_by_the_search(composed: str) -> None:
    run = search({**WORDS, "space": composed, "budget": {"evaluations": 5}}, toy)
    networks = [trial.blueprint.network for trial, _ in run.trials()]
    prints = [Blueprint(network).fingerprint for network in networks]
    assert prints[:3] == PRINTS


def problems(*words: str) -> list[str]:
    return problems_of(started, *words)


def test_what_a_space_cannot_express_is_told_with_the_gene_in_the_way() -> None:
    assert problems("evolver.start=mnasnet_a1,efficientnet_b0,mobilenet_v1") == [
        "evolver.start: mobile_cells cannot express efficientnet_b0: "
        "network.activation: swish is not one of relu, relu6.",
        "evolver.start: mobile_cells cannot express mobilenet_v1: "
        "network.stages.0.channels: 64 is not one of 16, 24.",
    ]
    (problem,) = problems("space=mobile_layers", "evolver.start=mnasnet_b1")
    assert problem == (
        "evolver.start: mobile_layers cannot express mnasnet_b1: network.stages: "
        "no place for layer 2 of 17, inverted_residual to 24 channels at stride 2."
    )


def test_a_wrong_start_is_told_with_all_other_problems_before_a_folder_is_made() -> None:
    words = ["evolver.start=mobilnet_v2,efficientnet_b0", "objectives=acuracy"]
    result = typed("search", *words, "display=plain")
    assert result.returncode == 2
    assert result.stdout == ""
    other, first, second = sorted(result.stderr.splitlines(), key=lambda line: "evolver" in line)
    assert 'Did you mean "accuracy"?' in other
    assert first.startswith('evolver.start: There is no model called "mobilnet_v2".')
    assert "network.activation: swish is not one of relu, relu6." in second
    assert not Path("runs").exists()


def test_a_search_of_the_recipe_alone_begins_with_that_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    fixed = REPOSITORY / "experiments" / "spaces" / "fixed_convnet.yaml"
    words = [f"space={fixed}+{tmp_path}/recipe.yaml", "training.weight_decay=0.01"]
    settings = Words(words).read()[0]
    space = load_space(settings.space)
    (chromosome,) = start_of(settings, space).designs
    recipe = space.decode(chromosome).training
    assert recipe["weight_decay"] == 0.01
    assert recipe["momentum"] == 0.8, "the default"
    assert recipe["epochs"] == settings.training.epochs
    assert recipe["schedule"] == "one_cycle"
    assert start_of(settings, load_space("nano")).designs == started() == ()


def first_run(**more: Any) -> Run:
    return search({**WORDS, **more, "budget": {"evaluations": 12}, "run": {"name": "first"}}, toy)


def by_momentum(blueprint: Blueprint) -> dict[str, float]:
    """All designs of two momenta are as good as each other."""
    momentum = blueprint.training["momentum"]
    return {"score": momentum, "cost": momentum}


def front_of(run: Run) -> list[str]:
    return [trial.blueprint.fingerprint for trial, _ in run.front]


def test_a_search_begins_with_the_front_of_another_run_and_with_presets() -> None:
    first = first_run()
    named = {"start": ["run:first", "mobilenet_v2"], "population": 4}
    run = search({**WORDS, "evolver": named, "budget": {"evaluations": 12}}, toy)
    wanted = list(dict.fromkeys([*front_of(first), PRINTS[0]]))
    assert told(run)[: len(wanted)] == [("start", fingerprint) for fingerprint in wanted]
    assert told(run)[len(wanted)][0] != "start"


def test_a_design_that_was_confirmed_comes_before_those_that_were_observed() -> None:
    first = first_run()
    *others, last = first.records.front
    trial, outcome = first.pair(last)
    number = first.records.next_number
    again = replace(trial, number=number, operator="confirmation", parents=(last,), confirms=last)
    with closing(Ledger.open(first.folder / "run.db")) as ledger:
        ledger.begin_session(1)
        ledger.add_trials([again], len(first.records.outcomes))
        ledger.add_outcome(replace(outcome, number=number), {})
    wanted = [first.records.trials[number].chromosome for number in (last, *others)]
    assert others
    assert started("evolver.start=run:first") == tuple(wanted)


def test_designs_of_a_run_bring_their_recipe_along(composed: str) -> None:
    run = first_run(space=composed)
    recipes = [dict(trial.blueprint.training) for trial, _ in run.front]
    space = load_space(composed)
    words = ["evolver.start=run:first", "training.lr0=0.03"]
    found = started(f"space={composed}", *words)
    assert [dict(space.decode(chromosome).training) for chromosome in found] == recipes
    assert started(f"space={composed}", f"evolver.start=run:{run.folder}") == found


def test_a_run_that_goes_on_has_the_start_that_it_had(composed: str) -> None:
    first = first_run()
    words = {**WORDS, "evolver": {"start": ["run:first"], "population": 4}}
    whole = search({**words, "budget": {"evaluations": 9}, "run": {"name": "whole"}}, toy)
    search({**words, "budget": {"evaluations": 1}, "run": {"name": "parts"}}, toy)
    shutil.rmtree(first.folder)
    resume(Path("runs/parts"), ["budget.evaluations=+8"], toy)
    assert told(load_run("runs/parts")) == told(whole)


def test_what_a_space_cannot_express_of_a_run_is_told_and_the_rest_begins(composed: str) -> None:
    words = {**WORDS, "space": composed, "run": {"name": "first"}, "budget": {"evaluations": 12}}
    first = search(words, by_momentum)
    Path("narrow.yaml").write_text(RECIPE.replace("[0.9, 0.8]", "[0.9, 0.7]"))
    settings = Words(["space=mobile_cells+./narrow.yaml", "evolver.start=run:first"]).read()[0]
    momenta = [trial.blueprint.training["momentum"] for trial, _ in first.front]
    assert {*momenta} == {0.8, 0.9}, "or this test tells nothing"
    begun = start_of(settings, load_space(settings.space))
    assert len(begun.designs) == momenta.count(0.9)
    first_line, *refusals = begun.told
    assert re.match(r"The search begins with \d+ designs? of run first\.", first_line)
    assert "training.momentum: 0.8 is not one of 0.9, 0.7." in refusals[0]


def test_a_run_of_which_nothing_can_be_expressed_is_refused() -> None:
    first_run()
    found = problems("space=nano", "evolver.start=run:first")
    assert found[0].startswith("evolver.start: nano cannot express trial ")
    assert problems("evolver.start=run:frist")[0].startswith(
        'evolver.start: There is no run "frist"'
    )


def test_a_model_folder_is_a_first_design(made: Path) -> None:
    (chromosome,) = started("space=nano", f"evolver.start={made}")
    blueprint = json.loads((made / "blueprint.json").read_text())
    design = load_space("nano").decode(chromosome)
    assert design.fingerprint == Blueprint.from_dict(blueprint).fingerprint
    shutil.copytree(made, "model")
    assert started("space=nano", "evolver.start=model") == (chromosome,)
    (problem,) = problems(f"evolver.start={made}")
    assert problem.startswith(f"evolver.start: mobile_cells cannot express the design of {made}: ")
    (problem,) = problems("evolver.start=./nowhere")
    assert "There is no model folder" in problem
