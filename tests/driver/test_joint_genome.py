"""One genome for architecture and training: genes of both, and what designs share."""

from pathlib import Path

import pytest
from conftest import FIXED, changed, typed

from evonas.driver import search
from evonas.driver.preparation import check, set_up
from evonas.settings import Words

SPACE = f"""
{changed(FIXED, ("channels: 16", "channels: {choice: [13, 16]}"))}\
training:
  lr0: {{log: [0.01, 0.3]}}
  schedule: {{choice: [cosine, one_cycle]}}
  fliplr: 0.0
"""


@pytest.fixture
def space() -> str:
    Path("joint.yaml").write_text(SPACE)
    return "./joint.yaml"


def test_training_genes_reach_the_training_and_tell_designs_apart(space: str) -> None:
    words = Words([f"space={space}", "objectives=accuracy,macs", "training.epochs=2"])
    checked = check(words)
    setup = set_up(checked, Path.cwd(), checked.facts)
    names = [gene.name for gene in setup.space.genes]
    assert names == ["network.stages.0.channels", "training.lr0", "training.schedule"]
    slow = setup.space.decode([0, -2.0, 0])
    fast = setup.space.decode([0, -1.0, 0])
    assert slow.training == {"lr0": 0.01, "schedule": "cosine", "fliplr": 0.0}
    recipe = setup.evaluator.kit.recipe(slow)  # type: ignore[attr-defined]
    assert (recipe.lr0, recipe.schedule, recipe.epochs) == (0.01, "cosine", 2)
    assert slow.fingerprint != fast.fingerprint
    evaluator = setup.evaluator
    assert evaluator.training_key(slow) != evaluator.training_key(fast)
    # The full networks are the same, so one latency serves both.
    assert evaluator.building_key(slow) == evaluator.building_key(fast)


def test_designs_that_differ_at_full_scale_only_share_one_training(space: str) -> None:
    checked = check(Words([f"space={space}"]))
    evaluator = set_up(checked, Path.cwd(), checked.facts).evaluator
    narrow, wide = (checked.space.decode([index, -1.0, 0]) for index in (0, 1))
    assert narrow.fingerprint != wide.fingerprint
    assert evaluator.training_key(narrow) == evaluator.training_key(wide)
    assert evaluator.building_key(narrow) != evaluator.building_key(wide)


@pytest.mark.slow
def test_a_search_over_both_trains_what_is_new_only() -> None:
    text = SPACE.replace("{log: [0.01, 0.3]}", "{choice: [0.05, 0.1]}")
    Path("joint.yaml").write_text(text)
    words = ["space=./joint.yaml", "data.subset=200", "training.epochs=1", "executor=inline"]
    run = search([*words, "display=none", "budget.evaluations=4", "run.name=joint"])
    outcomes = [outcome for _, outcome in run.trials() if outcome]
    shared = [outcome for outcome in outcomes if outcome.source is not None]
    assert run.records.evaluations == 4
    for outcome in shared:
        source = run.records.outcomes[outcome.source]  # type: ignore[index]
        assert outcome.measures["accuracy"] == source.measures["accuracy"]
    by_network: dict[str, set[float]] = {}
    for trial, outcome in run.trials():
        assert outcome is not None
        network = str(trial.blueprint.network)
        by_network.setdefault(network, set()).add(outcome.measures["latency_ms"])
    assert len(by_network) == 2
    assert all(len(latencies) == 1 for latencies in by_network.values())


def test_training_genes_that_training_does_not_take_are_refused() -> None:
    text = SPACE.replace("lr0: {log: [0.01, 0.3]}", "lr: {log: [0.01, 0.3]}")
    text = text.replace("[cosine, one_cycle]", "[cosine, stairs]") + "compression: {bits: 8}\n"
    Path("joint.yaml").write_text(text)
    result = typed("search", "space=./joint.yaml")
    assert result.returncode == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith('joint.yaml, training.lr (line 19): there is no key "lr". Did you')
    assert lines[1].startswith("joint.yaml, training.schedule (line 20), schedule: input should")
    assert "got 'stairs'" in lines[1]
    assert lines[2].startswith(
        'joint.yaml, compression.bits (line 22): There is no step of compression called "bits".'
    )
