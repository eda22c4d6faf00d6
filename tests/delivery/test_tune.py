"""Recipes that are tuned: what is tried, written and refused."""

import json
from pathlib import Path

import pytest
from conftest import typed
from small_model import detector, made, made_detector, model
from tunings import WORDS, score_by, settings_of

from evonas.delivery.retrain import retrain
from evonas.delivery.tune import tune
from evonas.errors import EvonasError
from evonas.exporters.file_names import CHECK, RECIPE
from evonas.key import checksum
from evonas.settings import TrainingSettings

__all__ = ["detector", "made", "made_detector", "model"]  # fixtures


def test_what_does_better_from_fresh_seeds_is_written(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = settings_of(model)
    trained = score_by(monkeypatch, lambda training, seed: 1 - training.weight_decay)
    result = tune(model, [*WORDS, "tune.settings=weight_decay,momentum"])
    assert result["written"]
    assert result["trainings"] == len(trained) == 6
    (old, new) = result["settings"]["weight_decay"]
    assert old == before["weight_decay"] > new
    after = settings_of(model)
    assert after["weight_decay"] == new
    assert after["epochs"] == 2  # a word changes the recipe that is tuned
    changed = {"weight_decay", "momentum", "epochs", "batch_size"}
    assert {k for k in after if after[k] != before[k]} <= changed
    assert [seed for _, seed in trained] == [3, 3, 3, 3, 4, 4]
    sums = json.loads((model / CHECK).read_text())["sha256"]
    assert sums[RECIPE] == checksum((model / RECIPE).read_bytes())


def test_a_detector_is_tuned_and_retrained(detector: Path) -> None:
    words = ["training.epochs=1", "budget.evaluations=4", "tune.seeds=1"]
    result = tune(detector, [*words, "tune.settings=box,cls,mosaic"])
    assert result["measure"] == "map50_95"
    assert {*result["trials"][1]["settings"]} == {"box", "cls", "mosaic"}
    recipe = settings_of(detector)
    assert (recipe["box"] != TrainingSettings().box) == result["written"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tune.settings=mosaic"], "tune.settings: mosaic has no meaning in classification"),
        (["tune.settings=optimizer"], "tune.settings: optimizer is not tuned. Known: auxiliary"),
        (["tune.settings=weight_decy"], 'Did you mean "weight_decay"'),
        (["tune.settings=clip_gradients"], "training.clip_gradients: off in the recipe"),
        (["budget.evaluations=5"], "budget.evaluations=5 is too few"),
        (["budget.stagnation=5"], "a tuning ends by budget.evaluations or budget.seconds"),
        (["evolver.population=4"], "a tuning takes data"),
        (["tune.pruner=mean"], "tune.pruner=mean: input should be 'median'"),
        (["data=shapes"], "for detection"),
    ],
    ids=str,
)
def test_what_cannot_be_is_said_and_leaves_the_model_alone(
    model: Path, words: list[str], message: str
) -> None:
    before = (model / RECIPE).read_bytes()
    with pytest.raises(EvonasError) as problem:
        tune(model, words)
    assert message.lower() in str(problem.value).lower()
    assert (model / RECIPE).read_bytes() == before


def test_a_search_refuses_what_is_for_a_tuning() -> None:
    result = typed("search", "tune.seeds=3")
    assert result.returncode == 2
    assert "evonas tune DIR takes it" in result.stderr


@pytest.mark.slow
def test_the_command_tells_each_training_and_what_came_of_it(model: Path) -> None:
    result = typed("tune", "model", *WORDS)
    assert result.returncode == 0, result.stderr
    lines = result.stderr.splitlines()
    assert [line.split(" · ")[0] for line in lines if "trainings" in line][:2] == [
        "1/6 trainings",
        "2/6 trainings",
    ]
    assert "validation images" in result.stdout
    told = typed("tune", "model", *WORDS, "--json")
    document = json.loads(told.stdout)
    assert document["trials"][0]["settings"] == {}
    assert retrain(model, ["training.epochs=1"])["epochs"] == 1
