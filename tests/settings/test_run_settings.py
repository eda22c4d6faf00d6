from collections.abc import Iterable
from functools import reduce
from pathlib import Path

import pytest
import yaml
from conftest import mistakes, problems_of
from pydantic import ValidationError

from evonas.errors import SettingsError
from evonas.settings import (
    CHANGEABLE_ON_RESUME,
    Settings,
    TrainingSettings,
    Words,
    validate,
)


def read_settings(words: Iterable[str]) -> Settings:
    """The settings that words give; all their problems as one error."""
    reader = Words(words)
    settings = reader.read()[0]
    if reader.read()[1]:
        raise SettingsError(reader.read()[1])
    return settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "run.yaml"


def problems(*words: str) -> list[str]:
    return problems_of(read_settings, words)


def test_no_words_mean_the_defaults() -> None:
    assert read_settings([]) == Settings()


def test_defaults_give_way_to_the_file_and_that_to_words_wherever_they_stand(config: Path) -> None:
    config.write_text("training: {epochs: 5, lr0: 0.2}\nspace: nano\n")
    found = read_settings(["training.epochs=7", f"config={config}"])
    assert found == read_settings([f"config={config}", "training.epochs=7"])
    assert (found.training.epochs, found.training.lr0, found.space) == (7, 0.2, "nano")
    assert found.training.momentum == Settings().training.momentum


def test_of_two_files_and_of_two_words_the_later_counts(config: Path, tmp_path: Path) -> None:
    config.write_text("space: a\nrun: {seed: 1}\n")
    other = tmp_path / "other.yaml"
    other.write_text("run: {seed: 2}\n")
    found = read_settings([f"config={config}", f"config={other}", "full.epochs=3", "full.epochs=4"])
    assert (found.space, found.run.seed, found.full.epochs) == ("a", 2, 4)


def test_given_defaults_give_way_to_words() -> None:
    reader = Words(["run.seed=2"], defaults={"run": {"seed": 1, "name": "demo"}})
    assert reader.read()[0].run.model_dump(include={"seed", "name"}) == {"seed": 2, "name": "demo"}
    assert reader.read()[1] == []


@pytest.mark.parametrize("group", ["data", "evolver", "executor", "evaluator"])
def test_a_group_called_by_a_name_means_its_name(group: str, config: Path) -> None:
    found = read_settings([f"{group}=something"])
    assert found == read_settings([f"{group}.name=something"])
    assert getattr(found, group).name == "something"
    config.write_text(f"{group}: something\n")
    assert read_settings([f"config={config}"]) == found


def test_a_named_group_takes_its_other_keys_beside_the_name() -> None:
    found = read_settings(["data.path=~/images", "data=folder"])
    assert (found.data.name, found.data.path) == ("folder", Path.home() / "images")


def test_a_run_is_never_named_by_the_short_form() -> None:
    (problem,) = problems("run=demo")
    assert problem.startswith("run=demo: ")


@pytest.mark.parametrize("word", ["objectives=accuracy,macs", "objectives=accuracy, macs"])
def test_lists_are_split_at_commas(word: str) -> None:
    assert read_settings([word]).objectives == ("accuracy", "macs")


def test_lists_in_a_file_are_lists(config: Path) -> None:
    config.write_text("objectives: [accuracy, macs]\n")
    assert read_settings([f"config={config}"]).objectives == ("accuracy", "macs")


def test_limits_are_kept_by_measure() -> None:
    found = read_settings(["constraints.macs.max=3e8", "budget.target.accuracy.min=0.9"])
    assert found.constraints["macs"].max == 3e8
    assert found.constraints["macs"].min is None
    assert found.budget.target["accuracy"].min == 0.9


def test_a_value_may_hold_an_equals_sign(config: Path) -> None:
    assert read_settings(["data.path=a=b"]).data.path == Path("a=b").absolute()


def test_settings_survive_their_own_file(config: Path) -> None:
    words = ["data=folder", "data.path=x", "constraints.macs.max=3e8", "objectives=accuracy,macs"]
    found = read_settings(words)
    config.write_text(yaml.safe_dump(found.to_dict()))
    assert read_settings([f"config={config}"]) == found


@mistakes("""
traning.epochs=3
    traning.epochs=3: a run has no key "traning". Did you mean "training"? Known: budget,
training.epoch=3
    training.epoch=3: training has no key "epoch". Did you mean "epochs"? Known: amp, anchor_iou,
    anchors, assigner,
seed=3
    seed=3: a run has no key "seed". Did you mean "run.seed"?
constraints.macs.maxi=1
    constraints.macs.maxi=1: constraints.macs has no key "maxi". Did you mean "max"? Known: max,
    min.
--epochs
    "--epochs" is not a setting. Write KEY=VALUE, for example run.seed=7.
=3
    "=3" is not a setting.
training.epochs=many
    training.epochs=many: input should be a valid integer
training.epochs=0
    training.epochs=0: input should be greater than or equal to 1
training.lr0=nan
    training.lr0=nan: input should be
training.lr0=inf
    training.lr0=inf: input should be
schedule=never
    schedule=never: input should be 'async' or 'generational'
run.name=../x
    run.name=../x: a name has letters, digits
training.epochs.x=1
    training.epochs.x=1: input should be a valid integer
objectives.accuracy=1
    objectives.accuracy=1: input should be a valid tuple
""")
def test_a_wrong_word_is_told_with_what_would_be_right(wrong: str, told: str) -> None:
    (problem,) = problems(wrong)
    assert problem.startswith(told)
    assert problem.endswith(".")


def test_a_key_is_a_value_or_a_group_but_not_both() -> None:
    assert problems("training.lr0=1", "training=fast") == [
        "training=fast: training is a group. Name a key of it, as in training.KEY=VALUE."
    ]
    assert problems("space=nano", "space.kind=2") == [
        "space.kind=2: space has a value already and takes no keys below it."
    ]


def test_a_mistake_in_a_file_is_told_with_its_line(config: Path) -> None:
    config.write_text("space: nano\ntraining:\n  epochs: 3\n  lr00: 0.1\n")
    (problem,) = problems(f"config={config}")
    assert problem.startswith(
        'run.yaml, training.lr00 (line 4): training has no key "lr00". Did you mean "lr0"?'
    )


@pytest.mark.parametrize("text", ["1: 2\n", "on: 2\n"])
def test_a_key_of_a_file_that_is_no_word_is_told(config: Path, text: str) -> None:
    config.write_text(text)
    with pytest.raises(SettingsError, match=r"run\.yaml"):
        read_settings([f"config={config}"])


@pytest.mark.parametrize("text", ["", "- 1\n", "fast\n"])
def test_a_file_without_keys_holds_no_settings(config: Path, text: str) -> None:
    config.write_text(text)
    assert problems(f"config={config}") == ["run.yaml holds no settings. Write keys with values."]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    (problem,) = problems(f"config={tmp_path / 'none.yaml'}")
    assert "There is no file" in problem


def test_all_mistakes_are_told_at_once(config: Path) -> None:
    config.write_text("training: {epochs: none, epoch: 3}\nfull: {width: -1}\n")
    found = problems(f"config={config}", "novalue", "sed=3", "budget.evaluations=0")
    expected = ["run.yaml, training.epochs (line 1)", "run.yaml, training.epoch (line 1)"]
    expected += ["run.yaml, full.width (line 2)", '"novalue"', "sed=3", "budget.evaluations=0"]
    assert len(found) == len(expected)
    for start in expected:
        assert sum(problem.startswith((f"{start}:", f"{start} is")) for problem in found) == 1


def test_a_wrong_word_leaves_the_others_in_force() -> None:
    reader = Words(["training.epochs=none", "training.lr0=0.3", "nonsense=1"])
    assert reader.read()[0].training == TrainingSettings(lr0=0.3)
    assert len(reader.read()[1]) == 2


def test_one_group_can_be_validated_alone() -> None:
    assert validate(TrainingSettings, {"epochs": "4"}, "here").epochs == 4
    problems = problems_of(validate, TrainingSettings, {"epoch": 4, "lr0": -1}, "recipe.yaml")
    wrong_value, unknown_key = sorted(problems)
    assert wrong_value == "recipe.yaml, lr0: input should be greater than 0, got -1."
    assert unknown_key.startswith(
        'recipe.yaml: there is no key "epoch". Did you mean "epochs"? Known: amp, anchor_iou, '
    )


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().space = "other"  # type: ignore[misc]


def test_what_may_change_on_resume_exists() -> None:
    for key in CHANGEABLE_ON_RESUME:
        reduce(getattr, key.split("."), Settings())
