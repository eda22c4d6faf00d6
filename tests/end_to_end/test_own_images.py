"""A search over a user's own images: the folder that is worked in, moved data, unequal classes."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import table, typed
from PIL import Image

from evonas.driver import search
from evonas.runs import load_run

QUICK = ["space=nano", "training.epochs=1", "executor=inline", "display=plain"]
SEARCH = [*QUICK, "data=folder", "objectives=accuracy,macs", "budget.evaluations=2", "run.name=own"]


def paint(root: Path, **counts: int) -> Path:
    """Images of noise, brighter from class to class."""
    rng = np.random.default_rng(0)
    for label, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True)
        for index in range(count):
            levels = rng.integers(0, 100, (8, 8), dtype=np.uint8) + 50 * label
            Image.fromarray(levels.astype(np.uint8)).save(root / name / f"{index}.png")
    return root


def test_the_folder_that_is_worked_in_may_be_that_of_the_images(working_folder: Path) -> None:
    paint(working_folder, cat=12, dog=12)
    first = typed("search", *SEARCH, "data.path=.")
    assert first.returncode == 0
    (line,) = [line for line in first.stderr.splitlines() if line.startswith("Data folder: ")]
    assert "(cat 6/4/2, dog 6/4/2)" in line
    on = typed("resume", "own", "budget.evaluations=+1")
    assert on.returncode == 0
    assert "runs/own that evonas wrote" in on.stderr
    assert load_run(Path("runs/own")).facts["data"]["classes"] == ["cat", "dog"]


def test_a_search_goes_on_where_its_images_have_moved_and_nowhere_else(
    working_folder: Path,
) -> None:
    old, new = paint(working_folder / "old", cat=8, dog=8), working_folder / "new"
    assert typed("search", *SEARCH, "data.path=old").returncode == 0
    before = table("own")
    old.rename(new)
    gone = typed("resume", "own", "budget.evaluations=3")
    assert gone.returncode == 2
    assert f"There is no folder {old}. Give data.path=DIR" in gone.stderr
    paint(working_folder / "other", cat=8, dog=9)
    other = typed("resume", "own", "budget.evaluations=3", "data.path=other")
    assert other.returncode == 2
    assert f"Run own was made with other images than {working_folder / 'other'}." in other.stderr
    on = typed("resume", "own", "budget.evaluations=3", "data.path=new")
    assert on.returncode == 0, on.stderr
    assert table("own")[:2] == before
    assert len(table("own")) == 3
    assert load_run(Path("runs/own")).settings.data.path == new
    assert typed("resume", "own", "budget.evaluations=+1").returncode == 0


def test_images_of_a_run_that_had_none_of_a_folder_cannot_be_found_elsewhere(
    run_copy: Path,
) -> None:
    paint(Path("elsewhere"), cat=5, dog=5)
    result = typed("resume", "finished", "data.path=elsewhere", "budget.evaluations=15")
    assert result.returncode == 0  # the digits lie nowhere else


def test_measures_of_unequal_classes_are_objectives_limits_and_targets(
    working_folder: Path,
) -> None:
    words = [*QUICK, "data.subset=200", "budget.evaluations=2", "constraints.macs.max=1e9"]
    run = search(
        [
            *words,
            "objectives=balanced_accuracy,macs",
            "constraints.top5_accuracy.min=0",
            "budget.target.balanced_accuracy.min=1",
        ]
    )
    for _, outcome in run.trials():
        assert outcome is not None
        measures = outcome.measures
        assert 0 <= measures["balanced_accuracy"] <= measures["top5_accuracy"] <= 1
        assert abs(measures["balanced_accuracy"] - measures["accuracy"]) < 0.1


def test_the_five_most_likely_of_five_classes_are_refused(working_folder: Path) -> None:
    paint(working_folder / "images", **{name: 4 for name in "abcde"})
    words = [*QUICK, "data=folder", "data.path=images", "objectives=top5_accuracy,macs"]
    result = typed("search", *words)
    assert result.returncode == 2
    assert "top5_accuracy is 1 for every network where there are 5 or fewer" in result.stderr


@pytest.mark.slow
def test_weights_of_classes_reach_search_recipe_and_retraining(working_folder: Path) -> None:
    paint(working_folder / "images", often=66, seldom=5)
    words = [*SEARCH, "data.path=images", "training.epochs=3"]
    plain = typed("search", *words)
    (line,) = [line for line in plain.stderr.splitlines() if line.startswith("Classes are unequal")]
    assert "often has 66 images, seldom 5" in line
    weighed = typed("search", *words, "run.name=weighed", "data.class_weights=balanced")
    assert weighed.returncode == 0
    assert [row[-1] for row in table("own")] != [row[-1] for row in table("weighed")]
    exported = typed("export", "weighed", "--to", "model", "--scale", "proxy")
    assert exported.returncode == 0, exported.stderr
    recipe = yaml.safe_load(Path("model/recipe.yaml").read_text())
    assert recipe["data"]["class_weights"] == "balanced"
    losses = {}
    for weights in ("balanced", "none"):
        retrained = typed(
            "retrain", "model", "training.epochs=2", f"data.class_weights={weights}", "--json"
        )
        result = json.loads(retrained.stdout)
        assert {"test_accuracy", "test_balanced_accuracy"} <= result.keys()
        assert "test_top5_accuracy" not in result
        losses[weights] = result["curve"]
    assert losses["balanced"] != losses["none"]
    card = Path("model/README.md").read_text()
    assert f"(balanced over the classes {result['test_balanced_accuracy']:.4f})" in card
